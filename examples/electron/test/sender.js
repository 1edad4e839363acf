// An app that is killed: it sends 1 to n to a peer, with its outbox in a file. Arguments: the gateway's URL, the file, n.
import * as fs from 'node:fs/promises';
import { FileStore, StratixClient } from 'stratix-client';
import { WebSocket } from 'ws';
import { send } from './stream.js';

const [gatewayUrl, file, n] = process.argv.slice(2);
const client = new StratixClient({ clientId: 'a', gatewayUrl, WebSocket, store: new FileStore(fs, file), backoff: { base: 5, cap: 100 } });
await client.connect();
await send(client, 'b', 1, Number(n), Infinity);
