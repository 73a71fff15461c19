# Owns the codec of encoding seldon-JSON: registered at import; reached by `flow` through codec_t.
# Must not know protobuf beyond asking for the other encoding.
