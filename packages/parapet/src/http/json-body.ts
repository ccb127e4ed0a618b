import type { TSchema } from "typebox";
import type { Context } from "../context/index.ts";
import { validator } from "../contract/index.ts";
import { AppError } from "../errors/index.ts";
import { Refusal } from "./refusal.ts";
import type { HttpRequest } from "./route.ts";
import { parseJson } from "./strict-json.ts";
import { decodeUtf8 } from "./utf8.ts";

/** Reads and checks the JSON body of an operation. */
export interface JsonBody {
  /** Throws `invalid` (400, 413, 415), `canceled`, `timeout`. */
  read(ctx: Context, request: HttpRequest): Promise<unknown>;
}

// RFC 8259, 11: JSON is UTF-8 and its media type has no charset; the parameter is let through where it says the same.
const JSON_TYPE = /^application\/(?:json|merge-patch\+json)\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/** The reader for a body's schema; `maxBytes` is the server's limit unless said. */
export function jsonBody(schema: TSchema, maxBytes: number | undefined): JsonBody {
  const { accepts, violations } = validator(schema);
  return {
    async read(ctx, request) {
      assertJson(request);
      const value = parseJson(decodeUtf8(await request.readBody(maxBytes)));
      ctx.throwIfDone();
      if (accepts(value)) return value;
      throw new AppError("invalid", "the body breaks its contract", { violations: violations(value, "body") });
    },
  };
}

function assertJson({ headers, method, hasBody }: HttpRequest): void {
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    throw new Refusal(415, "the body must not be compressed", { headers: { "accept-encoding": "identity" } });
  }
  if (!hasBody) {
    throw new AppError("invalid", "the request needs a JSON body", {
      violations: [{ in: "body", field: "", rule: "required", detail: "is required" }],
    });
  }
  if (!JSON_TYPE.test(headers["content-type"] ?? "")) {
    throw new Refusal(415, "the body must be sent as content-type: application/json", {
      headers: { [method === "PATCH" ? "accept-patch" : "accept-post"]: "application/json" },
    });
  }
}
