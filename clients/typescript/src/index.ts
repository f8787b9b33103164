/** The client of Gorilla, a distributed lock service. */

export type { Part } from "./acquire.js";
export type { Clock } from "./clock.js";
export type { ElectOptions, Lead, Leader } from "./elect.js";
export type { Busy, HolderInfo, LossReason, Sharing } from "./errors.js";
export {
  GorillaError,
  LockLostError,
  lossOf,
  NotAcquiredError,
  RefusedError,
  SupersededError,
  UnavailableError,
  UnknownError,
} from "./errors.js";
export type { Listener, LockNews } from "./events.js";
export type { Changed, Database, Fenced, FenceOptions } from "./fence.js";
export { FENCE_TABLE, fenceIn } from "./fence.js";
export type { Code } from "./generated/codes.js";
export type { Free, Held, Holder, Shared } from "./generated/wire.js";
export type { Body, GorillaOptions } from "./gorilla.js";
export { Gorilla } from "./gorilla.js";
export { inherited } from "./inherited.js";
export type { Lock, LockSet, Ticket } from "./lock.js";
export type { OnceOptions } from "./once.js";
export { SKIPPED } from "./once.js";
export type { AcquireOptions, AdoptOptions, AskOptions, HoldOptions, Kind } from "./options.js";
export type { ChangeEvent, ChangeType, LockEvent, WatchOptions } from "./watch.js";
