# Builds from source, ships what runs and nothing else.

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/gateway/package.json packages/gateway/
COPY packages/simulator/package.json packages/simulator/
COPY e2e/package.json e2e/
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.base.json ./
COPY packages packages
RUN npm run build

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/gateway/package.json packages/gateway/
COPY packages/simulator/package.json packages/simulator/
COPY e2e/package.json e2e/
RUN npm ci --ignore-scripts --no-audit --no-fund --omit=dev --omit=optional \
    --workspace @sluice/gateway --workspace @sluice/simulator

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/packages/simulator/package.json packages/simulator/
COPY --from=build /app/packages/simulator/dist packages/simulator/dist
COPY --from=build /app/packages/gateway/package.json packages/gateway/
COPY --from=build /app/packages/gateway/bin packages/gateway/bin
COPY --from=build /app/packages/gateway/dist packages/gateway/dist
COPY LICENSE ./
RUN ln -s /app/packages/gateway/bin/sluice.js /usr/local/bin/sluice \
    && mkdir -p /etc/sluice /var/lib/sluice \
    && chown node:node /var/lib/sluice \
    && chmod 700 /var/lib/sluice
USER node
WORKDIR /var/lib/sluice
VOLUME /var/lib/sluice
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["node", "-e", "fetch('http://127.0.0.1:8081/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Without the launcher, so that the gateway is process 1 and gets its signals itself.
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "/app/packages/gateway/dist/main.js"]
CMD ["start", "-c", "/etc/sluice/sluice.yaml"]
