import { describe, expect, it } from "vitest";
import { Random } from "../../testing/random.ts";
import { CreditPool } from "./credit.ts";
import { initialCreditBytes } from "./link-options.ts";

const bounds = { totalBytes: 400_000, accountBytes: 200_000, maxAccounts: 8 };

describe("CreditPool", () => {
  it("begins with what the protocol says and grants a share more", () => {
    const account = new CreditPool(bounds).open();
    expect(account.grantedBytes).toBe(initialCreditBytes);
    const shared = bounds.totalBytes - 8 * initialCreditBytes;
    expect(account.grant()).toBe(initialCreditBytes + Math.floor(shared / 2));
    expect(account.grant()).toBe(account.grantedBytes);
  });

  it("never grants one account more than its bound", () => {
    const account = new CreditPool({ ...bounds, totalBytes: 10_000_000 }).open();
    account.grant();
    expect(account.openBytes(account.grantedBytes)).toBe(200_000);
    account.use(50_000);
    account.grant();
    expect(account.openBytes(account.grantedBytes)).toBe(200_000);
  });

  it("gives a late account what it begins with, and more when others have used theirs", () => {
    const pool = new CreditPool({ ...bounds, accountBytes: 400_000 });
    const accounts = Array.from({ length: 7 }, () => {
      const account = pool.open();
      account.grant();
      return account;
    });
    const late = pool.open();
    const poor = late.grant();
    expect(poor).toBe(initialCreditBytes);
    for (const account of accounts) account.use(account.grantedBytes);
    expect(late.grant()).toBeGreaterThan(poor);
  });

  it("says when a peer has less than half of what it should have", () => {
    const account = new CreditPool(bounds).open();
    const granted = account.grant();
    expect(account.isLow(granted)).toBe(false);
    account.use(granted / 2 + 10);
    expect(account.isLow(granted)).toBe(true);
    expect(account.isLow(account.grant())).toBe(false);
  });

  it("gives back what closed accounts had", () => {
    const pool = new CreditPool({ ...bounds, accountBytes: 1_000_000 });
    const fresh = () => {
      const account = pool.open();
      const granted = account.grant();
      account.use(100);
      account.close();
      return granted;
    };
    const first = fresh();
    for (let i = 0; i < 100; i++) expect(fresh()).toBe(first);
  });

  it("has never more open than in all, however it is used", () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = new Random(seed);
      const pool = new CreditPool(bounds);
      const accounts: ReturnType<CreditPool["open"]>[] = [];
      const grants = new Map<object, number>();
      for (let step = 0; step < 200; step++) {
        const account = accounts.length === 0 ? undefined : random.pick(accounts);
        switch (random.below(6)) {
          case 0:
            if (accounts.length < bounds.maxAccounts) accounts.push(pool.open());
            break;
          case 1:
            if (account === undefined || !random.chance(0.2)) break;
            account.close();
            accounts.splice(accounts.indexOf(account), 1);
            break;
          case 2:
            // A record can be larger than what is left.
            account?.use(random.below(account.openBytes(account.grantedBytes) + (random.chance(0.1) ? 70_000 : 1)));
            break;
          default: {
            const granted = account?.grant() ?? 0;
            if (account === undefined) break;
            expect(granted).toBeGreaterThanOrEqual(grants.get(account) ?? 0);
            grants.set(account, granted);
          }
        }
        const open = accounts.reduce((sum, one) => sum + one.openBytes(one.grantedBytes), 0);
        expect(open).toBeLessThanOrEqual(bounds.totalBytes);
      }
      for (const account of accounts) account.close();
      const last = pool.open();
      expect(last.grant()).toBe(new CreditPool(bounds).open().grant());
    }
  });
});
