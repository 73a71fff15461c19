# The one image: executor, node, fetcher of models, operator. `make image-proof` runs the same steps without Docker.
#
#   docker build -t millrace/millrace:VERSION .

ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
COPY . /source
RUN /source/.ci/image build /source /wheels

FROM ${BASE}
RUN --mount=type=bind,from=build,source=/,target=/build /build/source/.ci/image install /build/wheels
ENV PATH=/opt/millrace/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
USER 8888:8888
EXPOSE 5001 8000
ENTRYPOINT ["millrace"]
