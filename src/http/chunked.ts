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
  /** Pieces of data in the last `read`. */
  pieces = 0;
  #part: Part = "size";
  #size = 0;
  #digits = 0;
  #lineBytes = 0;
  #trailers = 0;

  /**
   * Reads [at, chunk.length), gives the places of data to `take`; returns where it stopped: at the end, behind the body,
   * or in front of the data that would be more than `piecesMax`.
   */
  read(chunk: Uint8Array, at: number, piecesMax: number, take: (from: number, to: number) => void): number {
    this.pieces = 0;
    while (at < chunk.length && !this.done && !this.broken) {
      if (this.#part === "data") {
        if (this.pieces === piecesMax) return at;
        this.pieces++;
        const end = Math.min(chunk.length, at + this.#size);
        take(at, end);
        this.#size -= end - at;
        at = end;
        if (this.#size > 0) continue;
        if (chunk[at] === cr && chunk[at + 1] === lf) {
          at += 2;
          this.#part = "size";
          this.#digits = 0;
        } else this.#part = "data_cr";
        continue;
      }
      const behind = this.#part === "size" && this.#digits === 0 ? this.#sizeLine(chunk, at) : 0;
      if (behind > 0) at = behind;
      else this.#step(chunk[at++]!);
    }
    return at;
  }

  /** A size line without an extension that is whole, in one go: most are. Returns what is behind it, or 0. */
  #sizeLine(chunk: Uint8Array, at: number): number {
    const last = Math.min(chunk.length - 1, at + sizeDigitsMax);
    let size = 0;
    let end = at;
    for (let digit = 0; end < last && (digit = hexDigit(chunk[end]!)) >= 0; end++) size = size * 16 + digit;
    if (end === at || chunk[end] !== cr || chunk[end + 1] !== lf) return 0;
    this.#size = size;
    this.#part = size === 0 ? "trailer" : "data";
    this.#lineBytes = 0;
    return end + 2;
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
