/**
 * The `kafka.sasl` section: which login, and where its secrets are. Which keys belong to which mechanism is looked at
 * in `resolve_sasl.ts`.
 *
 * @module
 */
import * as v from "valibot";
import { choice, readText, secretText, section, text } from "./fields.ts";
import { quote, type Read } from "./units.ts";

/** Names and values of SASL extensions (KIP-342). */
const extension = /^([A-Za-z]+)=([\x21-\x7e \t]+)$/;

/** `kafka.sasl`. */
export const saslSchema = section("How to log in at the brokers", {
  mechanism: choice("SASL mechanism", [
    "plain",
    "scram-sha-256",
    "scram-sha-512",
    "oauthbearer",
    "aws-msk-iam",
  ]),
  username: v.optional(text("plain and scram: user name")),
  username_env: v.optional(text("Environment variable with the user name")),
  username_file: v.optional(text("File with the user name; relative to this file, read at each login")),
  password: v.optional(secretText("plain and scram: password; better password_env or password_file")),
  password_env: v.optional(text("Environment variable with the password")),
  password_file: v.optional(text("File with the password; relative to this file, read at each login")),
  token_endpoint: v.optional(
    readText("oauthbearer: URL that gives tokens for the client credentials grant", readEndpoint),
  ),
  client_id: v.optional(text("oauthbearer: id of this client at the token endpoint")),
  client_id_env: v.optional(text("Environment variable with the client id")),
  client_id_file: v.optional(text("File with the client id; relative to this file")),
  client_secret: v.optional(
    secretText("oauthbearer: its secret; better client_secret_env or client_secret_file"),
  ),
  client_secret_env: v.optional(text("Environment variable with the client secret")),
  client_secret_file: v.optional(
    text("File with the client secret; relative to this file, read for each token"),
  ),
  scope: v.optional(text("oauthbearer: scope to ask for")),
  audience: v.optional(text("oauthbearer: audience to ask for, where the endpoint wants one")),
  ca: v.optional(text("oauthbearer: certificates that sign the token endpoint's one, PEM file")),
  token_file: v.optional(
    text("oauthbearer: file with a token that somebody else keeps fresh, instead of token_endpoint"),
  ),
  extensions: v.optional(
    readText(
      "oauthbearer: SASL extensions, such as logicalCluster=lkc-1,identityPoolId=pool-1",
      readExtensions,
    ),
  ),
  region: v.optional(
    text("aws-msk-iam: region of the cluster; default: AWS_REGION, or from the brokers' names"),
  ),
  profile: v.optional(text("aws-msk-iam: profile in the shared credentials file")),
  credentials_file: v.optional(text("aws-msk-iam: shared credentials file; relative to this file")),
});

function readEndpoint(input: string): Read<string> {
  if (!URL.canParse(input) || !/^https?:\/\//i.test(input)) {
    return { ok: false, message: `${quote(input)} is not a URL; write https://login.example/oauth2/token` };
  }
  const { username, password } = new URL(input);
  if (username !== "" || password !== "") {
    // Not quoted: it holds a secret.
    return { ok: false, message: "has user and password in it; write client_id and client_secret_file" };
  }
  return { ok: true, value: input };
}

function readExtensions(input: string): Read<Readonly<Record<string, string>>> {
  const extensions: Record<string, string> = {};
  for (const part of input.split(",").map((text) => text.trim()).filter((text) => text !== "")) {
    const pair = extension.exec(part);
    if (pair === null || pair[1] === "auth") {
      return {
        ok: false,
        message: `${quote(part)} is not an extension; write name=value, with letters as name`,
      };
    }
    extensions[pair[1]!] = pair[2]!;
  }
  return { ok: true, value: extensions };
}
