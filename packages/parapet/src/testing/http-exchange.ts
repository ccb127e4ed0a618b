import { type IncomingHttpHeaders, type IncomingMessage, type RequestOptions, request } from "node:http";
import { text } from "node:stream/consumers";

/** What a server answered, read to its end. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The body, parsed. */
  json(): unknown;
}

/** Sends one request through node:http and reads the whole answer. Rejects with node's error when the connection fails. */
export async function exchange(options: RequestOptions, body: string | Uint8Array | undefined): Promise<Reply> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(options, resolve).on("error", reject).end(body);
  });
  const received = await text(response);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: received,
    json: () => JSON.parse(received),
  };
}
