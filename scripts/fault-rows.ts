/** One fault: what goes wrong, and what must hold then. Its tests begin their titles with its id: `C14: …`. */
export interface FaultRow {
  readonly id: string;
  readonly fault: string;
  readonly holds: string;
}

export interface FaultGroup {
  readonly title: string;
  readonly rows: readonly FaultRow[];
}

type Line = readonly [id: string, fault: string, holds: string];

function group(title: string, lines: readonly Line[]): FaultGroup {
  return { title, rows: lines.map(([id, fault, holds]) => ({ id, fault, holds })) };
}

/** The fault matrix: everything Parapet promises to survive, whether it is built yet or not. */
export const FAULT_GROUPS: readonly FaultGroup[] = [
  group("Process", [
    [
      "A1",
      "SIGTERM under load, while the load balancer still sends requests",
      "no connection error and no 5xx; `Connection: close` on every reply; `/readyz` 503, `/livez` 200; exit 0",
    ],
    ["A2", "SIGTERM with a request that outlasts the lame duck", "the request completes and its commit is there"],
    [
      "A3",
      "SIGTERM with a request that outlasts the drain",
      "it is aborted, answered 503 or reset, its transaction rolled back; exit 1 with the counts in the log",
    ],
    ["A4", "SIGTERM with a client that sends its request one byte at a time", "the exit is not held up"],
    ["A5", "SIGTERM with a client that never reads its reply", "the write deadline resets it; the exit is not held up"],
    ["A6", "A second signal during shutdown", "ordered abort at once, exit 1 within a second"],
    [
      "A7",
      "SIGTERM while starting or migrating",
      "clean exit within two seconds; the next start finds everything in order",
    ],
    ["A8", "SIGTERM as process 1", "the process ends as everywhere else"],
    [
      "A9",
      "SIGTERM while consuming messages",
      "running handlers finish and acknowledge, the rest goes back; no effect twice, nothing parked",
    ],
    ["A10", "SIGKILL at each step of a request (K1 to K14)", "nothing acknowledged is lost, nothing happens twice"],
    [
      "A11",
      "The process is frozen for up to a minute (SIGSTOP), then goes on",
      "expired work is not done; locks held elsewhere are not believed; recovery within ten seconds",
    ],
    ["A12", "An uncaught exception or unhandled rejection", "logged once, a short drain, exit 1; others are answered"],
    [
      "A13",
      "Configuration that is wrong or missing",
      "exit before listening, all problems in one message, no secret shown",
    ],
    ["A14", "Rolling restart of two replicas behind a balancer, ten rounds", "no error at all"],
  ]),
  group("SIGKILL at each step", [
    ["K1", "Killed after the request arrived, before the database heard of it", "no row, no event; a retry makes one"],
    ["K2", "Killed after the first insert", "rolled back, locks gone within a second; a retry works"],
    ["K3", "Killed as COMMIT leaves, before it arrives", "no row, no event; a retry makes one"],
    ["K4", "Killed after COMMIT arrived, before its answer", "row there, event sent; a retry replays the stored reply"],
    ["K5", "Killed after the commit, before the reply", "row there, event sent; a retry replays the stored reply"],
    ["K6", "Killed after the reply, before the event was published", "the event is delivered after the restart"],
    ["K7", "Killed after a publish, before its confirm", "published again under the same id; consumers act once"],
    [
      "K8",
      "Killed after the confirm, before the outbox row is gone",
      "published again under the same id; consumers act once",
    ],
    ["K9", "Killed after the outbox row is gone", "not published again"],
    ["K10", "Killed after a delivery, before its handler began", "delivered again, acted on once"],
    ["K11", "Killed in the handler, before its commit", "rolled back, delivered again, acted on once"],
    [
      "K12",
      "Killed after the handler's commit, before the acknowledgement",
      "delivered again and recognised; acted on once",
    ],
    ["K13", "Killed after the acknowledgement", "not delivered again"],
    [
      "K14",
      "Killed between two steps of a migration",
      "the next run goes on; the schema is that of an undisturbed run",
    ],
    ["K15", "Killed at 300 random moments under load", "not one acknowledged write lost, doubled or invented"],
  ]),
  group("PostgreSQL", [
    ["C1", "Down at start", "alive, not ready, retrying with jitter; ready within six seconds of its return"],
    [
      "C2",
      "Down at run time (connection refused)",
      "503 with Retry-After within a second; alive; good again within two seconds of its return",
    ],
    [
      "C3",
      "Packets vanish",
      "503 or 504 within the budget by our own deadlines; such connections are never used again",
    ],
    [
      "C4",
      "Every answer is slow",
      "who waits is bounded in number; replies stay in budget; other routes are not slowed",
    ],
    ["C5", "An answer that drips byte by byte", "the total deadline applies: 504 at the budget"],
    [
      "C6",
      "All backends terminated, again and again",
      "idle connections: no client sees it; open transactions: 503; never a crash",
    ],
    [
      "C7",
      "Failover: the primary became read-only",
      "the connection is dropped and resolved anew; 503 until then, never 500",
    ],
    [
      "C8",
      "The connection dies during COMMIT",
      "never blindly retried; the outcome is found out, or said to be unknown",
    ],
    ["C9", "The pool is exhausted", "waiters are bounded and wait at most a second, then 503; probes are not starved"],
    ["C10", "Too many connections (53300)", "503 with Retry-After, backoff, no crash"],
    ["C11", "Serialization failure or deadlock", "the whole transaction is retried within its deadline, then 503"],
    ["C12", "Waiting for a lock", "`lock_timeout` ends it: 503 with Retry-After"],
    ["C13", "Statement timeout", "504; the statement is gone from the server, its connection stays usable"],
    [
      "C14",
      "The client leaves in the middle of a query",
      "the query is canceled within a second, its connection clean",
    ],
    ["C15", "Disk full", "writes 503, reads 200"],
    ["C16", "Corrupted bytes on the wire", "that connection is destroyed, its request 503; no crash"],
    ["C17", "NUL or broken text on its way to the database", "400 before the database; never 500, nothing stored"],
    [
      "C18",
      "A handler hangs inside a transaction",
      "the server ends it after ten seconds; its connection is discarded",
    ],
    [
      "C19",
      "PgBouncer in transaction mode",
      "detected: not ready, says why and migrates nothing; in session mode all is as without it",
    ],
  ]),
  group("Redis", [
    [
      "D1",
      "Down, at start or at run time",
      "reads come from the database, writes succeed; recovery within three seconds",
    ],
    ["D2", "Hangs", "100 ms an operation at most, then the breaker opens and it costs nothing"],
    ["D3", "Slow, or dripping", "the same deadline"],
    ["D4", "Flushed under load", "no stampede: one load a key and instance; no stale value is set"],
    ["D5", "A poisoned value", "treated as a miss and deleted; never 500"],
    ["D6", "An invalidation is lost", "staleness ends with the relayed invalidation, at the latest with the hard TTL"],
    ["D7", "A slow reader fills what a writer just changed", "impossible: its lease is gone"],
    [
      "D8",
      "Errors: loading, read-only, out of memory, no auth, no script",
      "a miss and a metric; no password in the log",
    ],
    ["D9", "A hot key expires under 200 readers", "at most one rebuild an instance"],
    ["D10", "The clock jumps", "nothing outlives its hard TTL"],
    ["D11", "Connections are reset again and again", "reconnects back off with jitter, one a second at most"],
  ]),
  group("RabbitMQ", [
    ["E1", "Down at start", "HTTP serves; writes succeed; consumers start within five seconds of its return"],
    [
      "E2",
      "Down for a minute at run time",
      "writes succeed; events follow in order a key, none lost, none acted on twice",
    ],
    [
      "E3",
      "The broker blocks publishers",
      "the relay pauses, memory stays bounded, consumers go on, shutdown is not held up",
    ],
    ["E4", "Reset in the middle of a publish", "published again under the same id; acted on once"],
    ["E5", "Packets vanish", "the heartbeat notices within 25 seconds, then as E4"],
    ["E6", "No queue is bound", "the outbox row stays, an alert metric rises; delivered once a binding exists"],
    ["E7", "The broker refuses a message", "the outbox row stays and is tried again, with backoff"],
    ["E8", "An exchange is missing", "only that channel is reopened; topology is declared again, or a clear error"],
    ["E9", "A queue exists with other arguments", "HTTP serves; the log names queue and argument; nothing is deleted"],
    ["E10", "A message nobody can read", "parked after the parking is confirmed; others are not delayed"],
    ["E11", "A handler that always fails", "retried on a ladder of delays, then parked; no hot loop"],
    ["E12", "A message that kills the process each time", "parked after three starts; its innocent neighbours are not"],
    ["E13", "The same message three times, or late and out of order", "acted on once"],
    ["E14", "A handler hangs", "its deadline ends it; the consumer subscribes again when the broker gave up on it"],
    ["E15", "The queue is deleted", "declared and subscribed again within five seconds"],
    ["E16", "A backlog of 100 000 at start", "memory stays flat, HTTP is not slowed"],
    ["E17", "A flood of events under HTTP load", "HTTP is hardly slowed"],
  ]),
  group("HTTP clients and input", [
    [
      "F1",
      "The client leaves before its body ended",
      "the handler does not run; no partial write; no error in the log",
    ],
    ["F2", "The client leaves before the reply", "committed whole or not at all; resources free within a second"],
    ["F3", "Headers sent one byte a second, by many", "408 and close at the read timeout; others are served as before"],
    ["F4", "A body sent ever so slowly", "408 and close at the read timeout"],
    ["F5", "A client that reads slowly, or never", "reset at the write deadline; memory bounded"],
    ["F6", "A body declared too large", "413 before it is read; no `100 Continue`"],
    ["F7", "A chunked body without end", "413 at the limit; reading stops"],
    ["F8", "A compressed body", "415: no decompression, so no bomb"],
    [
      "F9",
      "JSON that is none: broken, empty, trailing bytes, a byte order mark, NaN",
      "400 with the position, never the body",
    ],
    ["F10", "Wrong or missing Content-Type", "415"],
    ["F11", "JSON that is very deep, wide or long", "400 or 413, without blocking the event loop"],
    ["F12", "`__proto__` and friends as keys", "400; no prototype is touched"],
    ["F13", "Duplicate keys", "400"],
    ["F14", "Numbers that do not fit", "400; never infinity, never rounded, never 500"],
    ["F15", "Broken UTF-8 in body, query or path", "400"],
    [
      "F16",
      "NUL, lone surrogates, control and bidi characters",
      "the first two 400; the others accepted, one line in the log",
    ],
    ["F17", "Headers too large or too many", "431"],
    ["F18", "A URI beyond 8 KiB", "414"],
    ["F19", "Path traversal in every encoding", "400 or 404; never another route's handler"],
    ["F20", "Request smuggling", "400 and close; exactly one reply on the connection"],
    ["F21", "Two Host headers, none, an invalid one, or another than in the target", "400"],
    [
      "F22",
      "Unknown methods, HEAD, OPTIONS, TRACE, override headers",
      "405 with Allow or 501; HEAD as GET; no overrides",
    ],
    ["F23", "Pipelining, `Upgrade: h2c`, unknown `Expect`", "replies in order; upgrade ignored; 417"],
    ["F24", "Properties that the contract does not name", "400 that lists them; nothing stored"],
    ["F25", "A query parameter given twice", "400 unless declared a list"],
    [
      "F26",
      "The same POST again, in every interleaving",
      "one effect, the stored reply; 409 in flight, 422 with another body",
    ],
    ["F27", "Concurrent updates", "serialised; a stale If-Match 412; the sum of successes is the final value"],
    ["F28", "Forged and broken tokens", "401 of one shape; no network call that a token asked for"],
    ["F29", "Anything that ends in an error", "a problem document with a request id; no stack, SQL, host or secret"],
    ["F30", "Any reply", "security headers; `no-store` on errors; no server version; CORS closed unless configured"],
  ]),
  group("Host and runtime", [
    ["G1", "The clock jumps by an hour", "timeouts are monotonic; no stuck timer, nothing lost"],
    ["G2", "Disk full where the log goes", "requests are served; dropped lines are counted; logging recovers"],
    ["G3", "Nobody reads the log's pipe", "no freeze; memory bounded; the oldest, least severe lines are dropped"],
    ["G4", "The log's reader dies", "requests are served"],
    ["G5", "The event loop blocks", "load is shed with 503 rather than timed out; a watchdog names the place"],
    ["G6", "The heap fills", "shed at 85 %, drained and restarted at 95 %, before the kernel does it"],
    ["G7", "File descriptors run out", "accepting pauses; existing connections go on; recovery within a second"],
    ["G8", "DNS is dead or slow", "existing connections go on; one dead name does not delay others"],
    ["G9", "The CPU is starved", "limits adapt; no collapse"],
    ["G10", "A flood of connections", "no crash; recovery within two seconds"],
    ["G11", "Read-only file system, no root, no /tmp", "starts and serves"],
    ["G12", "The port is taken", "exit within a second with a message that says so"],
    [
      "G13",
      "Hostile paths, ids, agents and methods by the thousand",
      "the number of metric series is bounded; scrapes stay fast",
    ],
    ["G14", "The trace collector is down", "requests do not notice; the queue is bounded; exit is not held up"],
  ]),
  group("Overload and downstreams", [
    [
      "H1",
      "Two, five and ten times the capacity",
      "goodput holds; rejections are fast 503s; recovery within five seconds",
    ],
    ["H2", "Overload on one expensive route", "cheap routes go on"],
    ["H3", "Clients that retry at once", "the same goodput; Retry-After is jittered"],
    ["H4", "One abusive caller", "429 for that caller; others do not notice"],
    ["H5", "The deadline has passed on arrival", "504 at once; the database hears nothing"],
    ["H6", "A downstream answers nonsense", "502; few retries; replies are capped, redirects not followed"],
    ["H7", "A downstream hangs", "504 in budget; other routes go on; the breaker opens and closes"],
    ["H8", "A downstream is slow for a minute", "no stale work is done afterwards"],
    ["H9", "All dependencies return at once", "reconnects and refills are spread out"],
  ]),
  group("Deployment and schema", [
    ["I1", "Eight processes migrate at once", "each migration runs exactly once; nobody crashes"],
    ["I2", "A migration waits for a long transaction", "`lock_timeout` and retry; readers are not queued behind it"],
    ["I3", "A migration fails", "rolled back; the old version goes on; the new one is not ready"],
    ["I4", "An edited migration, or a schema ahead of the code", "refused, or not ready, with a message"],
    ["I5", "Two versions on one schema, under load", "no 5xx; each reads what the other writes"],
    ["I6", "Rollback to the version before", "no 5xx; each reads what the other writes"],
  ]),
];
