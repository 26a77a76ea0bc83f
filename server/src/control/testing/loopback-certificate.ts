import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate of 127.0.0.1 that signs itself, and its key, in files of their own. */
export class LoopbackCertificate implements Disposable {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** What clients have to trust. */
  readonly ca: Buffer;
  readonly #folder: string;

  /** @param openssl path of OpenSSL's command */
  constructor(openssl: string) {
    this.#folder = mkdtempSync(join(tmpdir(), "fanfare-tls-"));
    this.certificateFile = join(this.#folder, "certificate.pem");
    this.keyFile = join(this.#folder, "key.pem");
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-days", "2"];
    const files = ["-keyout", this.keyFile, "-out", this.certificateFile];
    execFileSync(openssl, ["req", "-x509", ...key, ...subject, ...files], { stdio: "pipe" });
    this.ca = readFileSync(this.certificateFile);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}
