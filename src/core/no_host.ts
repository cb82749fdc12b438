/**
 * The name that stands in the URL of an HTTP request without a `Host` (HTTP/1.0 needs none), so that the URL is whole
 * on every runtime and nobody can take it for one of this machine's names.
 *
 * @module
 */

/** Under `.invalid` no name exists (RFC 6761, section 6.4). */
export const noHostName = "host.invalid";
