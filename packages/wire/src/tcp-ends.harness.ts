import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { eventually } from "parapet/testing";

/** One end of a connection in a test, and what reached it. */
export interface TcpEnd {
  readonly socket: Socket;
  readonly received: () => Buffer;
  /** Resolves when so many bytes have come. */
  receives(bytes: number): Promise<void>;
  /** `end` after a FIN, else the error's code. */
  readonly closed: Promise<string>;
}

function tcpEnd(t: TestContext, socket: Socket): TcpEnd {
  t.after(() => void socket.destroy());
  const chunks: Buffer[] = [];
  let length = 0;
  socket.on("data", (bytes) => {
    chunks.push(bytes);
    length += bytes.length;
  });
  const closed = new Promise<string>((resolve) => {
    socket.on("error", (thrown: NodeJS.ErrnoException) => resolve(thrown.code ?? thrown.message));
    socket.on("end", () => resolve("end"));
  });
  const receives = (bytes: number) => eventually(() => length >= bytes);
  return { socket, received: () => Buffer.concat(chunks), receives, closed };
}

/** Connects to a URL's port on the loopback address. */
export async function dial(t: TestContext, url: string): Promise<TcpEnd> {
  const end = tcpEnd(t, connect(Number(new URL(url).port), "127.0.0.1"));
  await Promise.race([once(end.socket, "connect"), end.closed]);
  return end;
}

/** A server that says nothing by itself, and its ends in the order of their connections. */
export async function quietServer(
  t: TestContext,
): Promise<{ readonly port: number; readonly ends: readonly TcpEnd[] }> {
  const ends: TcpEnd[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => ends.push(tcpEnd(t, socket)));
  t.after(() => void server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return { port: typeof address === "object" && address !== null ? address.port : 0, ends };
}
