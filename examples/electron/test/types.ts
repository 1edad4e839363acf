// What the compiler must accept and refuse, seen from a Node project without the DOM's types. Only compiled.
import * as fs from 'node:fs/promises';
import { FileStore, MemoryStore, StratixClient, StratixError, type Ack, type Store } from 'stratix-client';
import { WebSocket } from 'ws';

interface Chat { text: string }
interface Order { id: number }

export async function uses(): Promise<void> {
  const plain = new StratixClient({ clientId: 'client-123', gatewayUrl: 'wss://your-gateway.com/ws', autoReconnect: true });
  await plain.connect();
  plain.onMessage((msg) => console.log('Received:', msg));
  await plain.send('Hello Stratix!');

  const store: Store = new FileStore(fs, 'outbox');
  const chat = new StratixClient<Chat, Chat | Order>({
    clientId: 'a', gatewayUrl: 'ws://localhost:8080/ws', WebSocket, store, tokenIn: 'header', token: async () => 'token',
    outbox: { full: 'wait' }, power: ({ suspend, resume }) => { suspend(); resume(); },
  });
  const off: () => void = chat.on('message', async (message) => {
    const text: string = message.data.text;
    // @ts-expect-error: a Chat has no id
    message.data.id;
    const ack: Ack = await message.reply({ id: text.length });
    const stored: 'disk' | 'os' | 'memory' = ack.stored;
    console.log(stored);
  });
  off();
  chat.on('state', ({ state, retryIn }) => console.log(state === 'waiting', retryIn?.toFixed()));
  chat.on('gap', ({ from, to, cause }) => console.log(to - from, cause === 'expired'));
  chat.on('error', (error: StratixError) => console.log(error.code === 'no_route', error.retryable));
  chat.on('drain', () => {});
  // @ts-expect-error: there is no such event
  chat.on('mesage', () => {});
  // @ts-expect-error: neither a Chat nor an Order
  await chat.send('text');
  await chat.send({ text: 'x' }, { to: ['b', 'c'], priority: 9, ttl: 30, headers: { kind: 'x' }, timeout: 5_000, signal: AbortSignal.timeout(1) });
  await chat.send({ text: 'x' }, { to: { prefix: 'desk-' } });
  // @ts-expect-error: ttl is a number of seconds
  await chat.send({ text: 'x' }, { ttl: '30s' });
  const answer = await chat.request<{ price: number }>({ id: 1 }, { to: 'prices' });
  console.log(answer.data.price.toFixed(2));
  for await (const message of chat) console.log(message.data.text, message.from?.length);
  new MemoryStore().write([{ remove: 'x' }]);
}
