import type { Reply, ValkeyClient } from "./valkey-client.ts";

/** How many hash slots a cluster has. */
const slotCount = 16_384;

const crcTable = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) !== 0 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

/** The slot of a hash tag: CRC16 (XMODEM) of its bytes. */
export function slotOfTag(tag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(tag)) crc = ((crc << 8) & 0xffff) ^ (crcTable[((crc >> 8) ^ byte) & 0xff] as number);
  return crc % slotCount;
}

/** Which primary serves a slot, as far as known. A mistake costs a detour: the answers name the node that gave them. */
export class SlotMap {
  #primaries: (string | undefined)[] = [];
  #ids: ReadonlySet<string | undefined> = new Set();
  #loading: Promise<void> | undefined;

  /** Id of the primary; empty if it is not known, or outside of a cluster. */
  primaryOf(tag: string): string {
    return this.#primaries[slotOfTag(tag)] ?? "";
  }

  /** Whether a node serves a slot. */
  isPrimary(id: string): boolean {
    return this.#ids.has(id);
  }

  /** A hash tag that belongs to a primary; undefined if none is found, because it has few slots or none. */
  tagOf(primary: string): string | undefined {
    if (!this.isPrimary(primary)) return undefined;
    for (let i = 0; i < 2000; i++) if (this.primaryOf(`${i}`) === primary) return `${i}`;
    return undefined;
  }

  /** Asks any node. Joins a request that is under way. */
  refresh(client: ValkeyClient): Promise<void> {
    this.#loading ??= client
      .send(["CLUSTER", "SLOTS"], "any")
      .then((reply) => {
        this.#primaries = parseSlots(reply);
        this.#ids = new Set(this.#primaries);
      })
      .finally(() => {
        this.#loading = undefined;
      });
    return this.#loading;
  }
}

/** `CLUSTER SLOTS`: [first, last, [host, port, id, ...] of the primary, replicas ...] for each range. */
function parseSlots(reply: Reply): string[] {
  const primaries = new Array<string>(slotCount).fill("");
  for (const range of reply as readonly Reply[]) {
    const [first, last, primary] = range as readonly Reply[];
    const id = String((primary as readonly Reply[])[2]);
    primaries.fill(id, Number(first), Number(last) + 1);
  }
  return primaries;
}
