# docker build -t styleexport . && docker run --rm -v "$PWD/demo:/styleexport/demo" styleexport
FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /styleexport
COPY . .
CMD ["make", "demo"]
