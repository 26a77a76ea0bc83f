/** Fetches the text of a key set. */
export type FetchKeySet = (url: string, signal: AbortSignal) => Promise<string>;

const MAX_BYTES = 256 * 1024;

/**
 * Fetches by HTTP, at most 256 KiB. Redirects are refused: the configured address is what an operator trusts.
 * @throws Error for any status but 200, a larger answer, or an unreachable address
 */
export const fetchKeySet: FetchKeySet = async (url, signal) => {
  const response = await fetch(url, { signal, redirect: "error", headers: { accept: "application/json" } });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new Error(`answered with status ${response.status}`);
  }
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Error(`answered with more than ${MAX_BYTES} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
};
