import { createClient } from '@libsql/client';

export interface Product {
  readonly sku: string;
  readonly name: string;
  readonly cents: number;
}

/** What the import writes to: a table of your own, which durably knows nothing of. */
export interface Products {
  put(products: readonly Product[]): Promise<void>;
  close(): void;
}

export async function openProducts(url: string): Promise<Products> {
  const client = createClient({ url });
  await client.execute(
    'create table if not exists products (sku text primary key, name text, cents integer)',
  );
  return {
    async put(products) {
      const sql = 'insert or replace into products (sku, name, cents) values (?, ?, ?)';
      await client.batch(products.map(({ sku, name, cents }) => ({ sql, args: [sku, name, cents] })));
    },
    close: () => client.close(),
  };
}
