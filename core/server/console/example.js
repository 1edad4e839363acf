// How to connect a client, for those who see an empty page.
import { el, say } from './dom.js';

let address = `${location.hostname}:8080`;

const text = () => `npx -y wscat -c "ws://${address}/ws?clientId=client-1"`;

/** Says where the gateway listens to clients. One that listens everywhere is reached as this page is. */
export function reachAt(listen) {
  address = listen.replace(/^(\[::\]|0\.0\.0\.0)?:/, `${location.hostname}:`);
  for (const node of document.querySelectorAll('.connect')) say(node, text());
}

/** A command that connects a client. */
export function connecting() {
  return el('code', { class: 'connect' }, text());
}
