/** The door `durably/remote`: a database on a libSQL server, as the service opens it. */
export {
  type OpenRemoteOptions,
  openRemote,
  type RemoteDatabase,
} from './storage/sqlite/remote/open-remote.ts';
