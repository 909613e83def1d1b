# An image that audits: a user without rights, no network needed, nothing written but the folder that is mounted for it.
#   docker build -t dvhkit .
#   docker run --rm --read-only --tmpfs /tmp --network none -v "$PWD/plan:/in:ro" -v "$PWD/out:/out" dvhkit \
#     audit /in --protocol oligoprogressive-liver-2025 --out /out/audit
# The folder behind /out must be writable for user 10001.
ARG BASE=python:3.12-slim
FROM ${BASE} AS build
COPY . /src
RUN pip install --no-cache-dir build && python -m build --wheel --outdir /wheels /src

FROM ${BASE}
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(echo /wheels/*.whl)[masks,jpeg,archive]" && rm -rf /wheels \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin dvhkit \
 && mkdir /in /out && chown dvhkit /out
# Kernels are compiled into the image, once; the start script copies them to where they may be written.
ENV NUMBA_CACHE_DIR=/tmp/kernels PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=/tmp HOME=/tmp
# Home is elsewhere for that: what an audit makes there, among it the key for pseudonyms, must not be in the image.
COPY test_data /tmp/data
RUN mkdir /tmp/made && HOME=/tmp/made NUMBA_CACHE_DIR=/opt/kernels dvhkit audit /tmp/data/liver_sbrt \
      --protocol oligoprogressive-liver-2025 --context /tmp/data/liver_sbrt_context.yaml --out /tmp/made/run; \
    test $? -le 1 && rm -rf /tmp/data /tmp/made && chmod -R a+rX /opt/kernels && test ! -e /tmp/.config
COPY scripts/container_start.sh /usr/local/bin/dvhkit-start
USER 10001
WORKDIR /out
ENTRYPOINT ["dvhkit-start"]
CMD ["--help"]
