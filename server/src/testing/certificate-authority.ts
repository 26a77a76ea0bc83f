import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate authority, and a certificate of 127.0.0.1 that it has signed, in files of their own. */
export class CertificateAuthority implements Disposable {
  /** What clients have to trust. */
  readonly authorityFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly #folder: string;

  /** @param openssl path of OpenSSL's command */
  constructor(openssl: string) {
    this.#folder = mkdtempSync(join(tmpdir(), "fanfare-ca-"));
    const file = (name: string) => join(this.#folder, name);
    this.authorityFile = file("ca.pem");
    this.certificateFile = file("certificate.pem");
    this.keyFile = file("key.pem");
    const run = (...args: string[]) => execFileSync(openssl, args, { stdio: "pipe" });
    const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout"];
    const isAuthority = ["-addext", "basicConstraints=critical,CA:TRUE"];
    run(
      "req",
      "-x509",
      "-subj",
      "/CN=test authority",
      "-days",
      "2",
      ...isAuthority,
      ...newKey,
      file("ca-key.pem"),
      ...["-out", this.authorityFile],
    );
    run("req", "-subj", "/CN=localhost", ...newKey, this.keyFile, "-out", file("request.pem"));
    writeFileSync(file("extensions"), "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n");
    const signer = ["-CA", this.authorityFile, "-CAkey", file("ca-key.pem"), "-set_serial", "1"];
    const names = ["-extfile", file("extensions"), "-days", "2"];
    run("x509", "-req", "-in", file("request.pem"), ...signer, ...names, "-out", this.certificateFile);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}
