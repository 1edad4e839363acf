// The page: a small chat that shows what the client knows of each message.
import { IndexedDBStore, StratixClient, type StratixError } from '../stratix-client.js';
import type { Desktop } from './desktop.js';

interface Chat { text: string }

declare global {
  interface Window { desktop: Desktop }
}

const { desktop } = window;
const $ = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const [signIn, compose] = [$<HTMLFormElement>('sign-in'), $<HTMLFormElement>('compose')];
const field = (form: HTMLFormElement, name: string) => form.elements.namedItem(name) as HTMLInputElement;

/** A line of the conversation. All that comes from outside becomes text, never HTML. */
function line(kind: string, who: string, text: string): HTMLElement {
  const item = document.createElement('li');
  item.className = kind;
  for (const [name, content] of [['who', who], ['text', text], ['tick', '']] as const) {
    const part = document.createElement('span');
    part.className = name;
    part.textContent = content;
    item.append(part);
  }
  $('messages').append(item);
  item.scrollIntoView();
  return item;
}

/** queued: here, ⏳. accepted: the gateway has it, ✓. delivered: its recipient has it, ✓✓. */
function tick(item: HTMLElement, state: 'queued' | 'accepted' | 'delivered' | 'failed', title: string): void {
  item.dataset.state = state;
  const mark = item.querySelector<HTMLElement>('.tick')!;
  mark.textContent = { queued: '⏳', accepted: '✓', delivered: '✓✓', failed: `✗ ${title}` }[state];
  mark.title = title;
}

const settings = await desktop.settings();
for (const name of ['clientId', 'gatewayUrl', 'token'] as const) field(signIn, name).value = settings[name];
signIn.addEventListener('submit', async (event) => {
  event.preventDefault();
  const value = (name: string) => field(signIn, name).value.trim();
  await desktop.save({ clientId: value('clientId'), gatewayUrl: value('gatewayUrl'), token: value('token') });
  location.reload();
});
if (settings.clientId) {
  compose.hidden = false;
  chat();
} else {
  signIn.hidden = false;
}

function chat(): void {
  const client = new StratixClient<Chat>({
    clientId: settings.clientId,
    gatewayUrl: settings.gatewayUrl,
    store: new IndexedDBStore(`stratix-${settings.clientId}`),
    token: async () => (await desktop.settings()).token,
    power: ({ suspend, resume }) => desktop.onPower((name) => (name === 'suspend' ? suspend : resume)()),
  });
  const sent = new Map<string, HTMLElement>();
  const showOutbox = () => { $('outbox').textContent = client.outbox.messages ? `${client.outbox.messages} waiting` : ''; };

  client.on('state', ({ state, error, retryIn }) => {
    $('state').textContent = state;
    $('state').dataset.state = state;
    $('why').textContent = state === 'waiting' ? `${error?.message ?? ''}; again in ${((retryIn ?? 0) / 1000).toFixed(1)} s` : error?.message ?? '';
    if (state === 'closed') signIn.hidden = false;
    showOutbox();
  });
  client.on('message', (message) => {
    line('theirs', message.from ?? 'gateway', String(message.data?.text ?? JSON.stringify(message.data)));
  });
  client.on('gap', ({ from, to, cause }) => line('gap', '', cause === 'reset'
    ? 'messages may be missing: the gateway numbers anew'
    : `${to - from + 1} message(s) will not come: ${cause}`));
  client.on('ack', ({ messageId, status }) => {
    const item = sent.get(messageId);
    if (item) tick(item, status === 'delivered' ? 'delivered' : 'accepted', status);
    if (status === 'delivered') sent.delete(messageId);
    showOutbox();
  });
  client.on('error', (error) => {
    const item = sent.get(error.messageId ?? '');
    if (item) tick(item, 'failed', error.code); // it expired, or was lost, behind the first answer
    else line('gap', '', error.message);
  });
  client.on('drain', showOutbox);

  compose.addEventListener('submit', (event) => {
    event.preventDefault();
    const [to, text] = [field(compose, 'to'), field(compose, 'text')];
    const messageId = crypto.randomUUID();
    const item = line('mine', to.value, text.value);
    sent.set(messageId, item);
    tick(item, 'queued', 'waits for the gateway');
    client.send({ text: text.value }, { to: to.value, receipt: true, messageId }).catch((error: StratixError) => {
      tick(item, error.kept ? 'queued' : 'failed', error.code);
    });
    queueMicrotask(showOutbox);
    text.value = '';
  });
  client.connect().catch((error: StratixError) => { $('why').textContent = error.message; });
}
