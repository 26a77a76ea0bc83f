/**
 * For backends: players' tokens.
 *
 * @module
 */
export { type MintTokenOptions, mintToken, type PlayerToken, type TokenAlgorithm } from "./mint-token.ts";
