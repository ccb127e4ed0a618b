import { AppError } from "parapet/errors";

/** Where a proxy connects to. */
export interface TargetAddress {
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  "amqp:": 5672,
  "postgres:": 5432,
  "postgresql:": 5432,
  "redis:": 6379,
};

/** A URL with one of these protocols and a host. Throws `invalid` for any other text. */
export function parseTarget(text: string, protocols: readonly string[]): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && url.hostname !== "" && protocols.includes(url.protocol)) return url;
  const starts = protocols.map((name) => `${name}//`).join(" or ");
  throw new AppError("invalid", `the proxy needs a URL that starts with ${starts} and has a host`);
}

/** Where a URL points to, at its protocol's own port unless it says otherwise. */
export function targetAddress({ protocol, hostname, port }: URL): TargetAddress {
  const number = port === "" ? DEFAULT_PORTS[protocol] : Number(port);
  if (number === undefined) throw new AppError("internal", "the protocol has no port of its own");
  return { host: hostname.replace(/^\[|\]$/g, ""), port: number };
}
