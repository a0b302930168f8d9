/** The part of Hrana 2 (JSON) that `@libsql/client` speaks: `docs/HRANA_2_SPEC.md` of the libSQL repository. */

export type HranaValue =
  | { readonly type: 'null' }
  | { readonly type: 'integer'; readonly value: string }
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'text'; readonly value: string }
  | { readonly type: 'blob'; readonly base64: string };

export interface HranaStatement {
  readonly sql?: string;
  readonly sql_id?: number;
  readonly args?: readonly HranaValue[];
  readonly named_args?: readonly { readonly name: string; readonly value: HranaValue }[];
  readonly want_rows?: boolean;
}

export type HranaCondition =
  | { readonly type: 'ok' | 'error'; readonly step: number }
  | { readonly type: 'not'; readonly cond: HranaCondition }
  | { readonly type: 'and' | 'or'; readonly conds: readonly HranaCondition[] }
  | { readonly type: 'is_autocommit' };

export interface HranaBatch {
  readonly steps: readonly { readonly condition?: HranaCondition; readonly stmt: HranaStatement }[];
}

export type HranaRequest =
  | { readonly type: 'close' | 'get_autocommit' }
  | { readonly type: 'execute'; readonly stmt: HranaStatement }
  | { readonly type: 'batch'; readonly batch: HranaBatch }
  | { readonly type: 'sequence' | 'describe'; readonly sql?: string; readonly sql_id?: number }
  | StoreRequest;

type StoreRequest =
  | { readonly type: 'store_sql'; readonly sql_id: number; readonly sql: string }
  | { readonly type: 'close_sql'; readonly sql_id: number };

export interface PipelineRequest {
  readonly baton?: string | null;
  readonly requests: readonly HranaRequest[];
}

/** What a client sends over a WebSocket. */
export type SocketMessage =
  | { readonly type: 'hello'; readonly jwt?: string | null }
  | {
      readonly type: 'request';
      readonly request_id: number;
      readonly request:
        | { readonly type: 'open_stream' | 'close_stream'; readonly stream_id: number }
        | StoreRequest
        | (Exclude<HranaRequest, StoreRequest> & { readonly stream_id: number });
    };

export interface HranaError {
  readonly message: string;
  readonly code: string;
}

export interface StatementResult {
  readonly cols: readonly { readonly name: string; readonly decltype: string | null }[];
  readonly rows: readonly (readonly HranaValue[])[];
  readonly affected_row_count: number;
  readonly last_insert_rowid: string | null;
}

export function toSql(value: HranaValue): null | bigint | number | string | Buffer {
  switch (value.type) {
    case 'null':
      return null;
    case 'integer':
      return BigInt(value.value);
    case 'float':
    case 'text':
      return value.value;
    case 'blob':
      return Buffer.from(value.base64, 'base64');
  }
}

export function fromSql(value: unknown): HranaValue {
  if (value === null || value === undefined) return { type: 'null' };
  if (typeof value === 'bigint') return { type: 'integer', value: String(value) };
  if (typeof value === 'number') return { type: 'float', value };
  if (typeof value === 'string') return { type: 'text', value };
  return { type: 'blob', base64: Buffer.from(value as Uint8Array).toString('base64') };
}
