import { initialCreditBytes } from "./link-options.ts";

/** Bounds of a {@link CreditPool}, in bytes. */
export interface CreditBounds {
  /** Of all accounts together. At least what `maxAccounts` begin with. */
  readonly totalBytes: number;
  /** Of one account. */
  readonly accountBytes: number;
  readonly maxAccounts: number;
}

/**
 * What may be on its way to this node, beyond what links begin with. Credit cannot be taken back, so what was granted counts until it has been used: a
 * peer that comes late gets what the others have not.
 */
export class CreditPool {
  readonly #sharedBytes: number;
  readonly #accountBytes: number;
  #accounts = 0;
  #freeBytes: number;

  constructor({ totalBytes, accountBytes, maxAccounts }: CreditBounds) {
    this.#sharedBytes = totalBytes - maxAccounts * initialCreditBytes;
    this.#accountBytes = Math.max(0, accountBytes - initialCreditBytes);
    this.#freeBytes = this.#sharedBytes;
  }

  /** What one account should have of it. */
  get shareBytes(): number {
    return Math.min(this.#accountBytes, Math.floor(this.#sharedBytes / (this.#accounts + 1)));
  }

  open(): CreditAccount {
    this.#accounts++;
    return new CreditAccount(this);
  }

  /** An account that has nothing taken. */
  closed(): void {
    this.#accounts--;
  }

  /** Takes up to so many bytes. @returns how many */
  take(bytes: number): number {
    const taken = Math.max(0, Math.min(bytes, this.#freeBytes));
    this.#freeBytes -= taken;
    return taken;
  }

  giveBack(bytes: number): void {
    this.#freeBytes += bytes;
  }
}

/** The credit of one peer. */
export class CreditAccount {
  readonly #pool: CreditPool;
  #granted = initialCreditBytes;
  #used = 0;
  /** Of what is granted and not used, what is the pool's. */
  #taken = 0;

  constructor(pool: CreditPool) {
    this.#pool = pool;
  }

  /** Bytes that the peer may send in all, since its link began. */
  get grantedBytes(): number {
    return this.#granted;
  }

  /** Bytes that may be on their way, if this is what the peer has been granted. */
  openBytes(grantedBytes: number): number {
    return Math.max(0, grantedBytes - this.#used);
  }

  /** Whether a peer with so many bytes granted has less than half of what it should have. */
  isLow(grantedBytes: number): boolean {
    return this.openBytes(grantedBytes) * 2 < initialCreditBytes + this.#pool.shareBytes;
  }

  /** Bytes have arrived, and been worked off. */
  use(bytes: number): void {
    this.#used += bytes;
    const taken = Math.max(0, this.#granted - this.#used - initialCreditBytes);
    if (taken >= this.#taken) return;
    this.#pool.giveBack(this.#taken - taken);
    this.#taken = taken;
  }

  /** Grants what there is to grant. @returns `grantedBytes` */
  grant(): number {
    this.#taken += this.#pool.take(this.#pool.shareBytes - this.#taken);
    this.#granted = Math.max(this.#granted, this.#used + initialCreditBytes + this.#taken);
    return this.#granted;
  }

  close(): void {
    this.#pool.giveBack(this.#taken);
    this.#pool.closed();
    this.#taken = 0;
  }
}
