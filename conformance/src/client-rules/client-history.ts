import type { Publish, Welcome } from "@fanfare/proto/v1";
import type { Violation } from "../rules/rule.ts";
import { CaseFailure } from "../run/failure.ts";
import type { ClientFacts } from "./client-rule.ts";

/** A publish that has no answer yet. */
export interface Unanswered {
  readonly publish: Publish;
  readonly on: ClientFacts;
}

/** What a client has done in one case, over all its connections. */
export class ClientHistory {
  /** Features that the adapter claims for its client. */
  readonly claims: ReadonlySet<string>;
  /** Every token that the client was given, and every resume secret. */
  readonly secrets = new Set<string>();
  /** Publishes of the session, by seq. */
  readonly published = new Map<bigint, Publish>();
  /** Those that wait for an answer, by seq. Neither volatile ones nor those without an id. */
  readonly unanswered = new Map<bigint, Unanswered>();
  /** The newest secret of each session that the client was told. */
  readonly newestSecret = new Map<string, string>();
  /** Sessions that a close code has ended. */
  readonly over = new Set<string>();
  /** The connection that was sent `goaway` last. */
  leaving: ClientFacts | undefined;
  highestSeq = 0n;
  attempt = 0;
  readonly #broken: (failure: CaseFailure) => void;
  #origin = 0n;

  constructor(claims: ReadonlySet<string>, broken: (failure: CaseFailure) => void) {
    this.claims = claims;
    this.#broken = broken;
  }

  /** A rule is broken. */
  violate({ spec, text }: Violation): void {
    this.#broken(new CaseFailure(text, spec));
  }

  /** A session that is new counts its publishes from the beginning. */
  welcomed({ origin, sessionId, resumeSecret }: Welcome): void {
    if (resumeSecret !== "") {
      this.newestSecret.set(sessionId, resumeSecret);
      this.secrets.add(resumeSecret);
    }
    if (origin === this.#origin) return;
    this.#origin = origin;
    this.published.clear();
    this.unanswered.clear();
    this.highestSeq = 0n;
  }
}
