import { type Token, tokensOf } from "./lexer.ts";

/** The words of a program, one after the other. */
export class TokenStream {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(source: string) {
    this.#tokens = [...tokensOf(source)];
  }

  get next(): Token {
    return this.#tokens[this.#at] as Token;
  }

  /** The one behind the next. */
  get second(): Token | undefined {
    return this.#tokens[this.#at + 1];
  }

  take(): Token {
    const token = this.next;
    this.#at++;
    return token;
  }

  /** Takes the next one if it is of this type. */
  takeIf(type: string): boolean {
    if (this.next.type !== type) return false;
    this.#at++;
    return true;
  }

  /** @throws SyntaxError if the next one is of another type */
  demand(type: string): Token {
    if (this.next.type === type) return this.take();
    throw new SyntaxError(`line ${this.next.line}: ${type} expected, not "${this.next.text}"`);
  }
}
