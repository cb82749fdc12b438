/** UTF-8 as the runtimes' decoders read it: no overlong forms, no surrogates, nothing above U+10FFFF (RFC 3629 4). */

/** Bytes of the character that begins at `p` with a byte of 0x80 or more, or 0 where [p, end) begins with none. */
export function utf8Bytes(p: usize, end: usize): usize {
  const first = load<u8>(p);
  if (first < 0xc2 || first > 0xf4) return 0;
  const size: usize = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (p + size > end) return 0;
  const second = load<u8>(p, 1);
  if ((second & 0xc0) != 0x80) return 0;
  if (size == 2) return 2;
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
  if ((load<u8>(p, 2) & 0xc0) != 0x80) return 0;
  if (size == 3) return 3;
  if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
  return (load<u8>(p, 3) & 0xc0) == 0x80 ? 4 : 0;
}
