import { Duplex } from "node:stream";

/**
 * The client's and the server's end of a connection that exists in memory alone: what one writes the other reads, with
 * back-pressure. They have what node:http uses of a `net.Socket`; Node 20 has no `stream.duplexPair`.
 */
export function socketPair(): readonly [client: Duplex, server: Duplex] {
  const client: SocketEnd = new SocketEnd(() => server, { allowHalfOpen: false });
  const server = new SocketEnd(() => client, { allowHalfOpen: true });
  return [client.stream, server.stream];
}

type Done = (error?: Error | null) => void;

class SocketEnd {
  readonly stream: Duplex;
  readonly #peer: () => SocketEnd;
  #bytesRead = 0;
  #bytesWritten = 0;
  #hasEnded = false;
  /** Lets the peer write on. */
  #onRead: Done | undefined;

  constructor(peer: () => SocketEnd, { allowHalfOpen }: { readonly allowHalfOpen: boolean }) {
    this.#peer = peer;
    this.stream = new Duplex({
      allowHalfOpen,
      read: () => this.#read(),
      write: (bytes: Buffer, _encoding, done) => this.#send(bytes, done),
      final: (done) => this.#end(done),
      destroy: (error, done) => this.#end(() => done(error)),
    });
    this.#dressAsSocket();
  }

  #send(bytes: Buffer, done: Done): void {
    this.#bytesWritten += bytes.length;
    // Bytes arrive in a later turn of the event loop, as they do from the network.
    setImmediate(() => this.#peer().#receive(bytes, done));
  }

  #receive(bytes: Buffer, done: Done): void {
    this.#bytesRead += bytes.length;
    if (this.stream.destroyed) done(systemError("EPIPE"));
    else if (this.stream.push(bytes)) done();
    else this.#onRead = done;
  }

  #read(): void {
    const done = this.#onRead;
    this.#onRead = undefined;
    done?.();
  }

  #end(done: Done): void {
    this.#read();
    if (!this.#hasEnded) setImmediate(() => this.#peer().stream.push(null));
    this.#hasEnded = true;
    done();
  }

  #reset(): void {
    this.#hasEnded = true;
    this.stream.destroy();
    setImmediate(() => this.#peer().stream.destroy(systemError("ECONNRESET")));
  }

  #dressAsSocket(): void {
    const { stream } = this;
    const ignore = () => stream;
    Object.assign(stream, {
      remoteAddress: "127.0.0.1",
      remotePort: 0,
      setTimeout: ignore,
      setNoDelay: ignore,
      setKeepAlive: ignore,
      ref: ignore,
      unref: ignore,
      destroySoon: () => void stream.end(() => stream.destroy()),
      resetAndDestroy: () => this.#reset(),
    });
    Object.defineProperties(stream, {
      bytesRead: { get: () => this.#bytesRead },
      bytesWritten: { get: () => this.#bytesWritten },
    });
  }
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}
