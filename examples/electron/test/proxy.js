// A TCP proxy between clients and the gateway that breaks connections where it is told to.
import { once } from 'node:events';
import net from 'node:net';

/** up is from the client to the gateway, down the way back. */
export class Proxy {
  connections = new Set();
  count = 0; // connections so far
  /** Where the next connection is cut: { up: bytes } or { down: bytes } that still pass. Called for each; undefined for not at all. */
  plan = () => undefined;
  refusing = false; // closes what connects
  silent = false; // swallows everything, as a pulled cable does

  static async start(t, target) {
    const proxy = new Proxy();
    proxy.target = target;
    proxy.server = net.createServer((client) => proxy.#connect(client)).listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    proxy.url = `ws://127.0.0.1:${proxy.server.address().port}/ws`;
    t.after(() => {
      proxy.server.close();
      proxy.cut();
    });
    return proxy;
  }

  /** Breaks all connections. */
  cut() {
    for (const connection of this.connections) connection.end();
  }

  #connect(client) {
    client.on('error', () => {});
    if (this.refusing) {
      client.resetAndDestroy();
      return;
    }
    const [host, port] = this.target.split(':');
    const gateway = net.connect(Number(port), host);
    const left = { up: Infinity, down: Infinity, ...this.plan(this.count++) };
    const connection = {
      end: () => {
        this.connections.delete(connection);
        client.destroy();
        gateway.destroy();
      },
    };
    this.connections.add(connection);
    const pass = (from, to, way) => {
      from.on('data', (bytes) => {
        if (this.silent) return;
        const some = bytes.subarray(0, left[way]);
        left[way] -= some.length;
        if (left[way] > 0) {
          if (!to.write(some)) {
            from.pause();
            to.once('drain', () => from.resume());
          }
          return;
        }
        // What may pass arrives before the end does.
        from.pause();
        to.end(some, connection.end);
      });
      from.on('error', () => {});
      from.on('close', () => { if (!this.silent) connection.end(); });
    };
    pass(client, gateway, 'up');
    pass(gateway, client, 'down');
    if (left.up <= 0 || left.down <= 0) connection.end();
  }
}
