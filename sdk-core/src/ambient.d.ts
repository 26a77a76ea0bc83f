/**
 * The few names that every JavaScript runtime has and TypeScript's ES libraries lack. Only sdk-core is compiled against them; the shells
 * bring their runtime's own types.
 */
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean });
  decode(bytes: Uint8Array): string;
}

declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, into: Uint8Array): { read: number; written: number };
}

interface AbortSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

declare class AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

declare class URL {
  constructor(url: string, base?: string);
  readonly origin: string;
  readonly host: string;
  readonly href: string;
  readonly hash: string;
  protocol: string;
  pathname: string;
}

declare function queueMicrotask(callback: () => void): void;
