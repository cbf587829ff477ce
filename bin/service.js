// Starts the service, or says which Node it needs. Everything else is imported after that: an older Node would not get past the imports.
const version = process.versions.node
if (Number(version.split(".")[0]) >= 24) import("./startService.js")
else {
  process.stderr.write(
    `The service needs Node 24 or later, and this is Node ${version}. \`npm start\` runs it with the Node 24 that \`npm ci\` installs; so does \`npx node bin/service.js\`.\n`
  )
  process.exitCode = 1
}
