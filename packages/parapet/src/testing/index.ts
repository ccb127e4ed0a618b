export { announcedIn } from "./announced.ts";
export { type BrokerFixture, brokerSuite } from "./broker-suite.ts";
export { describeStatements } from "./describe-statements.ts";
export { eventually } from "./eventually.ts";
export { type FaultProxy, faultProxy } from "./fault-proxy.ts";
export { type Faults, faulty, type MethodOf } from "./faulty.ts";
export { assertHardlySlower, type SideBySide, secondOf } from "./hardly-slower.ts";
export type { Reply } from "./http-exchange.ts";
export { type ImportLaw, importBreaches, type RoomLaw, serviceLaw } from "./import-law.ts";
export { type ConnectionTarget, type InMemoryClient, type InMemoryRequest, inMemory } from "./in-memory.ts";
export { type Load, type LoadOptions, type LoadReport, type LoadRequest, startLoad } from "./load.ts";
export { type ManualClock, manualClock } from "./manual-clock.ts";
export { type OwnRabbit, ownRabbit } from "./own-rabbit.ts";
export { type OwnRedis, ownRedis } from "./own-redis.ts";
export { findCommand, sparePort } from "./own-server.ts";
export {
  dropSandboxTemplates,
  type PostgresSandbox,
  postgresSandbox,
  type SandboxOptions,
} from "./postgres-sandbox.ts";
export {
  type ParkedEntry,
  type RabbitChannel,
  type RabbitMessage,
  type RabbitSandbox,
  type RabbitSandboxOptions,
  rabbitSandbox,
} from "./rabbit-sandbox.ts";
export { type PeerEnd, type RawConnection, type RawExchange, rawConnection, rawRequest } from "./raw-http.ts";
export { type RawResponse, type RawResponses, splitResponses } from "./raw-response.ts";
export { type RedisSandbox, redisSandbox, withoutRedis } from "./redis-sandbox.ts";
export { Replica } from "./replica.ts";
export { forEachSeed, type SeededRandom, seededRandom } from "./seeded-random.ts";
export {
  type ProcessExit,
  type ProcessOptions,
  type ServiceMain,
  type ServiceProcess,
  type StdoutTarget,
  startProcess,
} from "./service-process.ts";
export {
  type StalenessChecker,
  type StalenessOptions,
  type StalenessViolation,
  stalenessChecker,
} from "./staleness.ts";
export { type Service, startService } from "./start-service.ts";
export { type LogLine, type RecordedContext, testContext } from "./test-context.ts";
export { Replayed, testOnce } from "./test-once.ts";
export type { SkippableScope, TestScope } from "./test-scope.ts";
