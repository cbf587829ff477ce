# One file instead of a thousand: it is ready in half the time, and takes two thirds of the memory.
FROM node:24-slim AS bundle
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY src ./src
COPY scripts/bundle.ts scripts/licenses.ts scripts/writeBundle.ts ./scripts/
# For `bytebot-agent demo`.
COPY test/emulators ./test/emulators
RUN node scripts/bundle.ts

# Dependencies apart, so that they are installed again only when they change.
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Its PostgreSQL is elsewhere: the package with the private one is left out.
RUN npm ci --ignore-scripts --omit=dev --omit=optional

FROM node:24-slim
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
