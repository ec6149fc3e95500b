// An OpenID Connect server for the browser test: node oidc_server.mjs <directory of node_modules> <port> <callback>.
// It is a real one, with its development pages: any name signs in, and is an address at example.com.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [directory, port, callback] = process.argv.slice(2);
const entry = join(directory, "node_modules", "oidc-provider", "lib", "index.js");
const { Provider } = await import(pathToFileURL(entry).href);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: "datanika",
      client_secret: "secret-of-the-browser-test",
      redirect_uris: [callback],
      token_endpoint_auth_method: "client_secret_post",
    },
  ],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  pkce: { required: () => true },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      email: `${id}@example.com`,
      email_verified: !id.startsWith("unproven"),
      name: "Vera Gross",
    }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
