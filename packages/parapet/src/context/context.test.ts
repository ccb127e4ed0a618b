import assert from "node:assert/strict";
import { test } from "node:test";
import { AppError, hasCode } from "../errors/index.ts";
import { createLogger } from "../log/index.ts";
import { CancelableContext, type Context, rootContext, withCancel, withTimeout } from "./context.ts";

const lines: Record<string, unknown>[] = [];
const log = createLogger({
  service: "test",
  level: "debug",
  sink: { write: (_level, line) => void lines.push(JSON.parse(line)) },
});
const gone = new AppError("canceled", "the caller is gone");

const ended = (ctx: Context): Promise<AppError> => new Promise((resolve) => ctx.onDone(resolve));

test("a root has no deadline and lasts until it is canceled", () => {
  const root = rootContext(log);
  assert.equal(root.deadline, Number.POSITIVE_INFINITY);
  assert.equal(root.remainingMs(), Number.POSITIVE_INFINITY);
  assert.equal(root.done, undefined);
  root.throwIfDone();
  root.cancel(gone);
  assert.equal(root.done, gone);
  assert.throws(() => root.throwIfDone(), gone);
});

test("the first reason stands", () => {
  const root = rootContext(log);
  root.cancel(gone);
  root.cancel(new AppError("timeout", "later"));
  assert.equal(root.done, gone);
});

test("listeners hear the reason once, those that were taken off do not", () => {
  const root = rootContext(log);
  const heard: string[] = [];
  const listen = () => heard.push("kept");
  root.onDone(listen);
  root.onDone(listen);
  const off = root.onDone(() => heard.push("taken off"));
  off();
  off();
  root.cancel(gone);
  root.cancel(gone);
  assert.deepEqual(heard, ["kept", "kept"]);
});

test("a listener that comes after the end hears at once", () => {
  const root = rootContext(log);
  root.cancel(gone);
  let heard: AppError | undefined;
  root.onDone((reason) => {
    heard = reason;
  })();
  assert.equal(heard, gone);
});

test("a listener taken off by another one, while they are told, does not hear", () => {
  const root = rootContext(log);
  const heard: string[] = [];
  root.onDone(() => {
    heard.push("first");
    offSecond();
  });
  const offSecond = root.onDone(() => heard.push("second"));
  root.cancel(gone);
  assert.deepEqual(heard, ["first"]);
});

test("a listener that throws keeps no other one from hearing, and surfaces as an uncaught exception", async (t) => {
  const root = rootContext(log);
  const bug = new Error("a bug in a listener");
  const uncaught = new Promise((resolve) => {
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.once("uncaughtException", resolve);
    t.after(() => {
      for (const other of others) process.on("uncaughtException", other);
    });
  });
  root.onDone(() => {
    throw bug;
  });
  const heard = ended(root);
  root.cancel(gone);
  assert.equal(await heard, gone);
  assert.equal(await uncaught, bug);
});

test("a derived context ends with its parent, for the same reason", async () => {
  const root = rootContext(log);
  await withTimeout(root, 60_000, (outer) =>
    withCancel(outer, async (inner) => {
      const heard = ended(inner);
      root.cancel(gone);
      assert.equal(inner.done, gone);
      assert.equal(await heard, gone);
    }),
  );
});

test("a parent does not end with its child", async () => {
  const root = rootContext(log);
  const reason = await withCancel(root, async (ctx, cancel) => {
    cancel(gone);
    return ctx.done;
  });
  assert.equal(reason, gone);
  assert.equal(root.done, undefined);
});

test("a deadline ends the context with a timeout, asked or waited for", async () => {
  const root = rootContext(log);
  await withTimeout(root, 20, async (ctx) => {
    assert.ok(ctx.remainingMs() <= 20);
    const reason = await ended(ctx);
    assert.ok(hasCode(reason, "timeout"));
    assert.equal(ctx.remainingMs(), 0);
    assert.equal(ctx.done, reason);
  });
  const past = new CancelableContext({ log, deadline: performance.now() - 1 });
  assert.ok(hasCode(past.done, "timeout"));
});

test("a child never outlasts its parent's deadline", async () => {
  await withTimeout(rootContext(log), 20, async (outer) => {
    await withTimeout(outer, 60_000, async (inner) => {
      assert.equal(inner.deadline, outer.deadline);
      assert.ok(hasCode(await ended(inner), "timeout"));
    });
  });
});

test("a parent that comes to its end just while a child begins to listen ends the child", () => {
  const parent: Context = {
    log,
    deadline: Number.POSITIVE_INFINITY,
    signal: AbortSignal.abort(gone),
    done: undefined,
    remainingMs: () => 0,
    throwIfDone: () => {},
    withFields: () => parent,
    onDone: (listener) => {
      listener(gone);
      return () => {};
    },
  };
  const child = new CancelableContext({ parent, deadline: performance.now() + 60_000 });
  let heard: AppError | undefined;
  child.onDone((reason) => {
    heard = reason;
  });
  assert.equal(heard, gone);
  assert.equal(child.done, gone);
});

test("a deadline far beyond what timers can hold does not end the context now", async () => {
  await withTimeout(rootContext(log), 2 ** 40, async (ctx) => {
    const off = ctx.onDone(() => assert.fail("it must not end"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(ctx.done, undefined);
    off();
  });
});

test("a deadline that is not a number is a bug", async () => {
  await assert.rejects(
    withTimeout(rootContext(log), Number.NaN, async () => {}),
    (error) => hasCode(error, "internal"),
  );
});

test("the context of a work ends with the work, whether it succeeds or fails", async () => {
  const root = rootContext(log);
  let kept: Context = root;
  assert.equal(
    await withTimeout(root, 60_000, async (ctx) => {
      kept = ctx;
      return 42;
    }),
    42,
  );
  assert.ok(hasCode(kept.done, "canceled"));
  await assert.rejects(
    withCancel(root, async (ctx) => {
      kept = ctx;
      throw gone;
    }),
    gone,
  );
  assert.ok(hasCode(kept.done, "canceled"));
  assert.equal(root.done, undefined);
});

test("no work begins under a context that is done", async () => {
  const root = rootContext(log);
  root.cancel(gone);
  await assert.rejects(
    withTimeout(root, 1000, async () => assert.fail("it must not begin")),
    gone,
  );
});

test("the signal is one, and aborts with the reason", () => {
  const root = rootContext(log);
  const { signal } = root;
  assert.equal(root.signal, signal);
  assert.equal(signal.aborted, false);
  root.cancel(gone);
  assert.equal(signal.aborted, true);
  assert.equal(signal.reason, gone);
});

test("a signal asked for after the end is aborted", () => {
  const root = rootContext(log);
  root.cancel(gone);
  assert.equal(root.signal.reason, gone);
});

test("fields are on every line, of derived contexts too, and change no limit", async () => {
  const root = rootContext(log);
  lines.length = 0;
  await withTimeout(root.withFields({ request_id: "r1" }), 60_000, async (ctx) => {
    const inner = ctx.withFields({ user_id: "u1" }).withFields({ action: "create" });
    inner.log.info("user created");
    assert.equal(inner.deadline, ctx.deadline);
    assert.equal(inner.signal, ctx.signal);
    root.cancel(gone);
    assert.equal(inner.done, gone);
    assert.throws(() => inner.throwIfDone(), gone);
    assert.equal(await ended(inner), gone);
    assert.ok(inner.remainingMs() > 0);
  });
  new CancelableContext({ parent: rootContext(log), fields: { request_id: "r2" } }).log.info("request");
  const [first, second] = lines;
  assert.deepEqual([first?.request_id, first?.user_id, first?.action], ["r1", "u1", "create"]);
  assert.equal(second?.request_id, "r2");
});

test("a context to which nobody listens any more holds neither timer nor parent", async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const before = timers();
  await withTimeout(rootContext(log), 60_000, async (ctx) => {
    const off = ctx.onDone(() => {});
    assert.equal(timers(), before + 1);
    off();
    assert.equal(timers(), before);
    ctx.onDone(() => {});
    assert.equal(timers(), before + 1);
  });
  assert.equal(timers(), before);
});
