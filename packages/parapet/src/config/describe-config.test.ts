import assert from "node:assert/strict";
import { test } from "node:test";
import { defineConfig, describeConfig, documentConfig, list, parseConfig, port, text, url } from "./index.ts";

const description = "for the tests";

const definition = defineConfig({
  http: { port: port("PORT", { default: 8080, description: "Where it listens." }) },
  databaseUrl: url("DATABASE_URL", { protocols: ["postgres:"], secret: true, description }),
  hookUrl: url("HOOK_URL", { protocols: ["https:"], secret: true, optional: true, description }),
  publicUrl: url("PUBLIC_URL", { protocols: ["http:"], default: "http://localhost", description }),
  apiKey: text("API_KEY", { secret: true, optional: true, description }),
  origins: list("ORIGINS", { default: ["http://a", "http://b"], description }),
});

test("a configuration describes itself: each variable, what applies and where it came from", () => {
  const config = parseConfig(definition, { PORT: "81", DATABASE_URL: "postgres://db:5432/users", ORIGINS: "" });
  assert.deepEqual(describeConfig(config), [
    { name: "PORT", value: "81", source: "environment" },
    { name: "DATABASE_URL", value: "postgres://db:5432/users", source: "environment" },
    { name: "HOOK_URL", value: "", source: "default" },
    { name: "PUBLIC_URL", value: "http://localhost", source: "default" },
    { name: "API_KEY", value: "", source: "default" },
    { name: "ORIGINS", value: "http://a,http://b", source: "default" },
  ]);
});

test("secrets are masked, except for the host and the database of a URL", () => {
  const config = parseConfig(definition, {
    DATABASE_URL: "postgres://users:swordfish@db:5432/users?sslpassword=swordfish",
    HOOK_URL: "https://hooks.example/services/swordfish",
    PUBLIC_URL: "http://users:swordfish@public.example",
    API_KEY: "swordfish",
  });
  const values = Object.fromEntries(describeConfig(config).map(({ name, value }) => [name, value]));
  assert.deepEqual(
    [values.DATABASE_URL, values.HOOK_URL, values.PUBLIC_URL, values.API_KEY],
    [
      "postgres://[masked]@db:5432/users?[masked]",
      "https://hooks.example/[masked]",
      "http://users:[masked]@public.example",
      "[masked]",
    ],
  );
});

test("only a configuration that was parsed describes itself", () => {
  assert.throws(() => describeConfig({}), { code: "internal" });
});

test("a definition documents its variables for the table in a README", () => {
  const [first, second, ...others] = documentConfig(definition);
  assert.deepEqual(first, {
    variable: "PORT",
    type: "a port, a whole number from 0 to 65535",
    default: "8080",
    required: false,
    meaning: "Where it listens.",
  });
  assert.deepEqual([second?.variable, second?.default, second?.required], ["DATABASE_URL", "", true]);
  assert.deepEqual(
    others.map((row) => [row.default, row.required]),
    [
      ["", false],
      ["http://localhost", false],
      ["", false],
      ["http://a,http://b", false],
    ],
  );
});
