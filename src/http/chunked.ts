/**
 * A chunked body (RFC 9112 7.1), decoded as it comes.
 *
 *     chunk   = 1*HEXDIG [ ";" extension ] CRLF data CRLF
 *     last    = 1*"0" [ ";" extension ] CRLF *( field-line CRLF ) CRLF
 *
 * Strict like the head: lines end with CRLF, sizes are at most eight digits. Extensions and trailers are skipped, and
 * bounded.
 *
 * @module
 */

/** Hexadecimal digits of a size; more than any body may have. */
const sizeDigitsMax = 8;
/** Bytes of one size line or trailer line. */
const lineBytesMax = 1024;
/** Trailer lines. */
const trailersMax = 32;

const cr = 0x0d;
const lf = 0x0a;

type Part = "size" | "extension" | "size_lf" | "data" | "data_cr" | "data_lf" | "trailer" | "trailer_lf";

/** The decoder of one body. */
export class ChunkedBody {
  /** The last chunk and the trailers are read. */
  done = false;
  /** The stream is not chunked as it should be. */
  broken = false;
  #part: Part = "size";
  #size = 0;
  #digits = 0;
  #lineBytes = 0;
  #trailers = 0;

  /** Reads [at, chunk.length), gives data to `take`; returns where it stopped: at the end, or behind the body. */
  read(chunk: Uint8Array, at: number, take: (data: Uint8Array) => void): number {
    while (at < chunk.length && !this.done && !this.broken) {
      if (this.#part === "data") {
        const end = Math.min(chunk.length, at + this.#size);
        take(chunk.subarray(at, end));
        this.#size -= end - at;
        at = end;
        if (this.#size === 0) this.#part = "data_cr";
      } else this.#step(chunk[at++]!);
    }
    return at;
  }

  #step(byte: number): void {
    switch (this.#part) {
      case "size":
        return this.#sizeByte(byte);
      case "extension":
        if (byte === cr) this.#part = "size_lf";
        else if (byte === lf || ++this.#lineBytes > lineBytesMax) this.broken = true;
        return;
      case "size_lf":
        if (byte !== lf) this.broken = true;
        this.#part = this.#size === 0 ? "trailer" : "data";
        this.#lineBytes = 0;
        return;
      case "data_cr":
        if (byte !== cr) this.broken = true;
        this.#part = "data_lf";
        return;
      case "data_lf":
        if (byte !== lf) this.broken = true;
        this.#part = "size";
        this.#size = this.#digits = 0;
        return;
      case "trailer":
        if (byte === cr) this.#part = "trailer_lf";
        else if (byte === lf || ++this.#lineBytes > lineBytesMax) this.broken = true;
        return;
      case "trailer_lf":
        if (byte !== lf || ++this.#trailers > trailersMax) this.broken = true;
        else if (this.#lineBytes === 0) this.done = true;
        this.#part = "trailer";
        this.#lineBytes = 0;
        return;
    }
  }

  #sizeByte(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#size = this.#size * 16 + digit;
      if (++this.#digits > sizeDigitsMax) this.broken = true;
    } else if (this.#digits === 0) this.broken = true;
    else if (byte === cr) this.#part = "size_lf";
    else if (byte === 0x3b || byte === 0x20 || byte === 0x09) {
      this.#part = "extension";
      this.#lineBytes = 0;
    } else this.broken = true;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
