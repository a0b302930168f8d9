# docs/containers.md explains this file. `npm run check -- container` runs its commands outside of a container.
FROM node:20-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build

FROM node:20-slim AS modules
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:20-slim
WORKDIR /app
COPY --from=modules /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/package.json ./
RUN install -d -o node -g node /data /data/files
USER node
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000
ENV TURSO_DATABASE_URL=file:/data/durably.db DURABLY_DATA_DIR=/data/files
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Without a shell, node is the first process of the container and receives SIGTERM.
CMD ["node", "dist/entry/node.js"]
