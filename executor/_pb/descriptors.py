# Made by proto/generate.py from proto/*.proto. Do not edit.
"""Owns the descriptors that server reflection serves, as data that can be read without a protobuf library.

Must not import anything: the executor process knows these contracts by their bytes alone.
"""

from typing import Final

FILES: Final[dict[str, bytes]] = {
    'executor/_pb/health.proto': (
        b'\n\x19executor/_pb/health.proto\x12\x0egrpc.health.v1"%\n\x12HealthCheckRequest\x12\x0f\n\x07serv'
        b'ice\x18\x01 \x01(\t"\xa9\x01\n\x13HealthCheckResponse\x12A\n\x06status\x18\x01 \x01(\x0e21.grpc.h'
        b'ealth.v1.HealthCheckResponse.ServingStatus"O\n\rServingStatus\x12\x0b\n\x07UNKNOWN\x10\x00\x12'
        b'\x0b\n\x07SERVING\x10\x01\x12\x0f\n\x0bNOT_SERVING\x10\x02\x12\x13\n\x0fSERVICE_UNKNOWN\x10\x032'
        b'\xae\x01\n\x06Health\x12P\n\x05Check\x12".grpc.health.v1.HealthCheckRequest\x1a#.grpc.health.v1.H'
        b'ealthCheckResponse\x12R\n\x05Watch\x12".grpc.health.v1.HealthCheckRequest\x1a#.grpc.health.v1.Hea'
        b'lthCheckResponse0\x01b\x06proto3'
    ),
    'executor/_pb/inference.proto': (
        b'\n\x1cexecutor/_pb/inference.proto\x12\tinference"\x13\n\x11ServerLiveRequest""\n\x12ServerLiveRe'
        b'sponse\x12\x0c\n\x04live\x18\x01 \x01(\x08"\x14\n\x12ServerReadyRequest"$\n\x13ServerReadyRespons'
        b'e\x12\r\n\x05ready\x18\x01 \x01(\x08"2\n\x11ModelReadyRequest\x12\x0c\n\x04name\x18\x01 \x01(\t'
        b'\x12\x0f\n\x07version\x18\x02 \x01(\t"#\n\x12ModelReadyResponse\x12\r\n\x05ready\x18\x01 \x01('
        b'\x08"\x17\n\x15ServerMetadataRequest"K\n\x16ServerMetadataResponse\x12\x0c\n\x04name\x18\x01 \x01'
        b'(\t\x12\x0f\n\x07version\x18\x02 \x01(\t\x12\x12\n\nextensions\x18\x03 \x03(\t"5\n\x14ModelMetada'
        b'taRequest\x12\x0c\n\x04name\x18\x01 \x01(\t\x12\x0f\n\x07version\x18\x02 \x01(\t"\x86\x03\n\x15Mo'
        b'delMetadataResponse\x12\x0c\n\x04name\x18\x01 \x01(\t\x12\x10\n\x08versions\x18\x02 \x03(\t\x12'
        b'\x10\n\x08platform\x18\x03 \x01(\t\x12?\n\x06inputs\x18\x04 \x03(\x0b2/.inference.ModelMetadataRe'
        b'sponse.TensorMetadata\x12@\n\x07outputs\x18\x05 \x03(\x0b2/.inference.ModelMetadataResponse.Tenso'
        b'rMetadata\x12D\n\nproperties\x18\x06 \x03(\x0b20.inference.ModelMetadataResponse.PropertiesEntry'
        b'\x1a?\n\x0eTensorMetadata\x12\x0c\n\x04name\x18\x01 \x01(\t\x12\x10\n\x08datatype\x18\x02 \x01(\t'
        b'\x12\r\n\x05shape\x18\x03 \x03(\x03\x1a1\n\x0fPropertiesEntry\x12\x0b\n\x03key\x18\x01 \x01(\t'
        b'\x12\r\n\x05value\x18\x02 \x01(\t:\x028\x01"\x99\x01\n\x0eInferParameter\x12\x14\n\nbool_param'
        b'\x18\x01 \x01(\x08H\x00\x12\x15\n\x0bint64_param\x18\x02 \x01(\x03H\x00\x12\x16\n\x0cstring_param'
        b'\x18\x03 \x01(\tH\x00\x12\x16\n\x0cdouble_param\x18\x04 \x01(\x01H\x00\x12\x16\n\x0cuint64_param'
        b'\x18\x05 \x01(\x04H\x00B\x12\n\x10parameter_choice"\xd0\x01\n\x13InferTensorContents\x12\x15\n\rb'
        b'ool_contents\x18\x01 \x03(\x08\x12\x14\n\x0cint_contents\x18\x02 \x03(\x05\x12\x16\n\x0eint64_con'
        b'tents\x18\x03 \x03(\x03\x12\x15\n\ruint_contents\x18\x04 \x03(\r\x12\x17\n\x0fuint64_contents\x18'
        b'\x05 \x03(\x04\x12\x15\n\rfp32_contents\x18\x06 \x03(\x02\x12\x15\n\rfp64_contents\x18\x07 \x03('
        b'\x01\x12\x16\n\x0ebytes_contents\x18\x08 \x03(\x0c"\xee\x06\n\x11ModelInferRequest\x12\x12\n\nmod'
        b'el_name\x18\x01 \x01(\t\x12\x15\n\rmodel_version\x18\x02 \x01(\t\x12\n\n\x02id\x18\x03 \x01(\t'
        b'\x12@\n\nparameters\x18\x04 \x03(\x0b2,.inference.ModelInferRequest.ParametersEntry\x12=\n\x06inp'
        b'uts\x18\x05 \x03(\x0b2-.inference.ModelInferRequest.InferInputTensor\x12H\n\x07outputs\x18\x06 '
        b'\x03(\x0b27.inference.ModelInferRequest.InferRequestedOutputTensor\x12\x1a\n\x12raw_input_content'
        b's\x18\x07 \x03(\x0c\x1a\x94\x02\n\x10InferInputTensor\x12\x0c\n\x04name\x18\x01 \x01(\t\x12\x10\n'
        b'\x08datatype\x18\x02 \x01(\t\x12\r\n\x05shape\x18\x03 \x03(\x03\x12Q\n\nparameters\x18\x04 \x03('
        b'\x0b2=.inference.ModelInferRequest.InferInputTensor.ParametersEntry\x120\n\x08contents\x18\x05 '
        b'\x01(\x0b2\x1e.inference.InferTensorContents\x1aL\n\x0fParametersEntry\x12\x0b\n\x03key\x18\x01 '
        b'\x01(\t\x12(\n\x05value\x18\x02 \x01(\x0b2\x19.inference.InferParameter:\x028\x01\x1a\xd5\x01\n'
        b'\x1aInferRequestedOutputTensor\x12\x0c\n\x04name\x18\x01 \x01(\t\x12[\n\nparameters\x18\x02 \x03('
        b'\x0b2G.inference.ModelInferRequest.InferRequestedOutputTensor.ParametersEntry\x1aL\n\x0fParameter'
        b'sEntry\x12\x0b\n\x03key\x18\x01 \x01(\t\x12(\n\x05value\x18\x02 \x01(\x0b2\x19.inference.InferPar'
        b'ameter:\x028\x01\x1aL\n\x0fParametersEntry\x12\x0b\n\x03key\x18\x01 \x01(\t\x12(\n\x05value\x18'
        b'\x02 \x01(\x0b2\x19.inference.InferParameter:\x028\x01"\xd5\x04\n\x12ModelInferResponse\x12\x12\n'
        b'\nmodel_name\x18\x01 \x01(\t\x12\x15\n\rmodel_version\x18\x02 \x01(\t\x12\n\n\x02id\x18\x03 \x01('
        b'\t\x12A\n\nparameters\x18\x04 \x03(\x0b2-.inference.ModelInferResponse.ParametersEntry\x12@\n\x07'
        b'outputs\x18\x05 \x03(\x0b2/.inference.ModelInferResponse.InferOutputTensor\x12\x1b\n\x13raw_outpu'
        b't_contents\x18\x06 \x03(\x0c\x1a\x97\x02\n\x11InferOutputTensor\x12\x0c\n\x04name\x18\x01 \x01(\t'
        b'\x12\x10\n\x08datatype\x18\x02 \x01(\t\x12\r\n\x05shape\x18\x03 \x03(\x03\x12S\n\nparameters\x18'
        b'\x04 \x03(\x0b2?.inference.ModelInferResponse.InferOutputTensor.ParametersEntry\x120\n\x08content'
        b's\x18\x05 \x01(\x0b2\x1e.inference.InferTensorContents\x1aL\n\x0fParametersEntry\x12\x0b\n\x03key'
        b'\x18\x01 \x01(\t\x12(\n\x05value\x18\x02 \x01(\x0b2\x19.inference.InferParameter:\x028\x01\x1aL\n'
        b'\x0fParametersEntry\x12\x0b\n\x03key\x18\x01 \x01(\t\x12(\n\x05value\x18\x02 \x01(\x0b2\x19.infer'
        b'ence.InferParameter:\x028\x01"h\n\x18ModelStreamInferResponse\x12\x15\n\rerror_message\x18\x01 '
        b'\x01(\t\x125\n\x0einfer_response\x18\x02 \x01(\x0b2\x1d.inference.ModelInferResponse"7\n\x16Model'
        b'StatisticsRequest\x12\x0c\n\x04name\x18\x01 \x01(\t\x12\x0f\n\x07version\x18\x02 \x01(\t".\n\x11S'
        b'tatisticDuration\x12\r\n\x05count\x18\x01 \x01(\x04\x12\n\n\x02ns\x18\x02 \x01(\x04"\x9c\x03\n'
        b'\x0fInferStatistics\x12-\n\x07success\x18\x01 \x01(\x0b2\x1c.inference.StatisticDuration\x12*\n'
        b'\x04fail\x18\x02 \x01(\x0b2\x1c.inference.StatisticDuration\x12+\n\x05queue\x18\x03 \x01(\x0b2'
        b'\x1c.inference.StatisticDuration\x123\n\rcompute_input\x18\x04 \x01(\x0b2\x1c.inference.Statistic'
        b'Duration\x123\n\rcompute_infer\x18\x05 \x01(\x0b2\x1c.inference.StatisticDuration\x124\n\x0ecompu'
        b'te_output\x18\x06 \x01(\x0b2\x1c.inference.StatisticDuration\x12/\n\tcache_hit\x18\x07 \x01(\x0b2'
        b'\x1c.inference.StatisticDuration\x120\n\ncache_miss\x18\x08 \x01(\x0b2\x1c.inference.StatisticDur'
        b'ation"\xc3\x02\n\x17InferResponseStatistics\x123\n\rcompute_infer\x18\x01 \x01(\x0b2\x1c.inferenc'
        b'e.StatisticDuration\x124\n\x0ecompute_output\x18\x02 \x01(\x0b2\x1c.inference.StatisticDuration'
        b'\x12-\n\x07success\x18\x03 \x01(\x0b2\x1c.inference.StatisticDuration\x12*\n\x04fail\x18\x04 \x01'
        b'(\x0b2\x1c.inference.StatisticDuration\x124\n\x0eempty_response\x18\x05 \x01(\x0b2\x1c.inference.'
        b'StatisticDuration\x12,\n\x06cancel\x18\x06 \x01(\x0b2\x1c.inference.StatisticDuration"\xca\x01\n'
        b'\x14InferBatchStatistics\x12\x12\n\nbatch_size\x18\x01 \x01(\x04\x123\n\rcompute_input\x18\x02 '
        b'\x01(\x0b2\x1c.inference.StatisticDuration\x123\n\rcompute_infer\x18\x03 \x01(\x0b2\x1c.inference'
        b'.StatisticDuration\x124\n\x0ecompute_output\x18\x04 \x01(\x0b2\x1c.inference.StatisticDuration":'
        b'\n\x0bMemoryUsage\x12\x0c\n\x04type\x18\x01 \x01(\t\x12\n\n\x02id\x18\x02 \x01(\x03\x12\x11\n\tby'
        b'te_size\x18\x03 \x01(\x04"\xb4\x03\n\x0fModelStatistics\x12\x0c\n\x04name\x18\x01 \x01(\t\x12\x0f'
        b'\n\x07version\x18\x02 \x01(\t\x12\x16\n\x0elast_inference\x18\x03 \x01(\x04\x12\x17\n\x0finferenc'
        b'e_count\x18\x04 \x01(\x04\x12\x17\n\x0fexecution_count\x18\x05 \x01(\x04\x123\n\x0finference_stat'
        b's\x18\x06 \x01(\x0b2\x1a.inference.InferStatistics\x124\n\x0bbatch_stats\x18\x07 \x03(\x0b2\x1f.i'
        b'nference.InferBatchStatistics\x12,\n\x0cmemory_usage\x18\x08 \x03(\x0b2\x16.inference.MemoryUsage'
        b'\x12E\n\x0eresponse_stats\x18\t \x03(\x0b2-.inference.ModelStatistics.ResponseStatsEntry\x1aX\n'
        b'\x12ResponseStatsEntry\x12\x0b\n\x03key\x18\x01 \x01(\t\x121\n\x05value\x18\x02 \x01(\x0b2".infer'
        b'ence.InferResponseStatistics:\x028\x01"J\n\x17ModelStatisticsResponse\x12/\n\x0bmodel_stats\x18'
        b'\x01 \x03(\x0b2\x1a.inference.ModelStatistics"\x8a\x01\n\x18ModelRepositoryParameter\x12\x14\n\nb'
        b'ool_param\x18\x01 \x01(\x08H\x00\x12\x15\n\x0bint64_param\x18\x02 \x01(\x03H\x00\x12\x16\n\x0cstr'
        b'ing_param\x18\x03 \x01(\tH\x00\x12\x15\n\x0bbytes_param\x18\x04 \x01(\x0cH\x00B\x12\n\x10paramete'
        b'r_choice"@\n\x16RepositoryIndexRequest\x12\x17\n\x0frepository_name\x18\x01 \x01(\t\x12\r\n\x05re'
        b'ady\x18\x02 \x01(\x08"\xa4\x01\n\x17RepositoryIndexResponse\x12=\n\x06models\x18\x01 \x03(\x0b2-.'
        b'inference.RepositoryIndexResponse.ModelIndex\x1aJ\n\nModelIndex\x12\x0c\n\x04name\x18\x01 \x01(\t'
        b'\x12\x0f\n\x07version\x18\x02 \x01(\t\x12\r\n\x05state\x18\x03 \x01(\t\x12\x0e\n\x06reason\x18'
        b'\x04 \x01(\t"\xec\x01\n\x1aRepositoryModelLoadRequest\x12\x17\n\x0frepository_name\x18\x01 \x01('
        b'\t\x12\x12\n\nmodel_name\x18\x02 \x01(\t\x12I\n\nparameters\x18\x03 \x03(\x0b25.inference.Reposit'
        b'oryModelLoadRequest.ParametersEntry\x1aV\n\x0fParametersEntry\x12\x0b\n\x03key\x18\x01 \x01(\t'
        b'\x122\n\x05value\x18\x02 \x01(\x0b2#.inference.ModelRepositoryParameter:\x028\x01"\x1d\n\x1bRepos'
        b'itoryModelLoadResponse"\xf0\x01\n\x1cRepositoryModelUnloadRequest\x12\x17\n\x0frepository_name'
        b'\x18\x01 \x01(\t\x12\x12\n\nmodel_name\x18\x02 \x01(\t\x12K\n\nparameters\x18\x03 \x03(\x0b27.inf'
        b'erence.RepositoryModelUnloadRequest.ParametersEntry\x1aV\n\x0fParametersEntry\x12\x0b\n\x03key'
        b'\x18\x01 \x01(\t\x122\n\x05value\x18\x02 \x01(\x0b2#.inference.ModelRepositoryParameter:\x028\x01'
        b'"\x1f\n\x1dRepositoryModelUnloadResponse"/\n\x1fSystemSharedMemoryStatusRequest\x12\x0c\n\x04name'
        b'\x18\x01 \x01(\t"\xa5\x02\n SystemSharedMemoryStatusResponse\x12I\n\x07regions\x18\x01 \x03(\x0b2'
        b'8.inference.SystemSharedMemoryStatusResponse.RegionsEntry\x1aL\n\x0cRegionStatus\x12\x0c\n\x04nam'
        b'e\x18\x01 \x01(\t\x12\x0b\n\x03key\x18\x02 \x01(\t\x12\x0e\n\x06offset\x18\x03 \x01(\x04\x12\x11'
        b'\n\tbyte_size\x18\x04 \x01(\x04\x1ah\n\x0cRegionsEntry\x12\x0b\n\x03key\x18\x01 \x01(\t\x12G\n'
        b'\x05value\x18\x02 \x01(\x0b28.inference.SystemSharedMemoryStatusResponse.RegionStatus:\x028\x01"a'
        b'\n!SystemSharedMemoryRegisterRequest\x12\x0c\n\x04name\x18\x01 \x01(\t\x12\x0b\n\x03key\x18\x02 '
        b'\x01(\t\x12\x0e\n\x06offset\x18\x03 \x01(\x04\x12\x11\n\tbyte_size\x18\x04 \x01(\x04"$\n"SystemSh'
        b'aredMemoryRegisterResponse"3\n#SystemSharedMemoryUnregisterRequest\x12\x0c\n\x04name\x18\x01 \x01'
        b'(\t"&\n$SystemSharedMemoryUnregisterResponse"-\n\x1dCudaSharedMemoryStatusRequest\x12\x0c\n\x04na'
        b'me\x18\x01 \x01(\t"\x95\x02\n\x1eCudaSharedMemoryStatusResponse\x12G\n\x07regions\x18\x01 \x03('
        b'\x0b26.inference.CudaSharedMemoryStatusResponse.RegionsEntry\x1aB\n\x0cRegionStatus\x12\x0c\n\x04'
        b'name\x18\x01 \x01(\t\x12\x11\n\tdevice_id\x18\x02 \x01(\x04\x12\x11\n\tbyte_size\x18\x03 \x01('
        b'\x04\x1af\n\x0cRegionsEntry\x12\x0b\n\x03key\x18\x01 \x01(\t\x12E\n\x05value\x18\x02 \x01(\x0b26.'
        b'inference.CudaSharedMemoryStatusResponse.RegionStatus:\x028\x01"i\n\x1fCudaSharedMemoryRegisterRe'
        b'quest\x12\x0c\n\x04name\x18\x01 \x01(\t\x12\x12\n\nraw_handle\x18\x02 \x01(\x0c\x12\x11\n\tdevice'
        b'_id\x18\x03 \x01(\x03\x12\x11\n\tbyte_size\x18\x04 \x01(\x04""\n CudaSharedMemoryRegisterResponse'
        b'"1\n!CudaSharedMemoryUnregisterRequest\x12\x0c\n\x04name\x18\x01 \x01(\t"$\n"CudaSharedMemoryUnre'
        b'gisterResponse"\xe6\x01\n\x13TraceSettingRequest\x12>\n\x08settings\x18\x01 \x03(\x0b2,.inference'
        b'.TraceSettingRequest.SettingsEntry\x12\x12\n\nmodel_name\x18\x02 \x01(\t\x1a\x1d\n\x0cSettingValu'
        b'e\x12\r\n\x05value\x18\x01 \x03(\t\x1a\\\n\rSettingsEntry\x12\x0b\n\x03key\x18\x01 \x01(\t\x12:\n'
        b'\x05value\x18\x02 \x01(\x0b2+.inference.TraceSettingRequest.SettingValue:\x028\x01"\xd5\x01\n\x14'
        b'TraceSettingResponse\x12?\n\x08settings\x18\x01 \x03(\x0b2-.inference.TraceSettingResponse.Settin'
        b'gsEntry\x1a\x1d\n\x0cSettingValue\x12\r\n\x05value\x18\x01 \x03(\t\x1a]\n\rSettingsEntry\x12\x0b'
        b'\n\x03key\x18\x01 \x01(\t\x12;\n\x05value\x18\x02 \x01(\x0b2,.inference.TraceSettingResponse.Sett'
        b'ingValue:\x028\x01"\x9a\x02\n\x12LogSettingsRequest\x12=\n\x08settings\x18\x01 \x03(\x0b2+.infere'
        b'nce.LogSettingsRequest.SettingsEntry\x1ah\n\x0cSettingValue\x12\x14\n\nbool_param\x18\x01 \x01('
        b'\x08H\x00\x12\x16\n\x0cuint32_param\x18\x02 \x01(\rH\x00\x12\x16\n\x0cstring_param\x18\x03 \x01('
        b'\tH\x00B\x12\n\x10parameter_choice\x1a[\n\rSettingsEntry\x12\x0b\n\x03key\x18\x01 \x01(\t\x129\n'
        b'\x05value\x18\x02 \x01(\x0b2*.inference.LogSettingsRequest.SettingValue:\x028\x01"\x9d\x02\n\x13L'
        b'ogSettingsResponse\x12>\n\x08settings\x18\x01 \x03(\x0b2,.inference.LogSettingsResponse.SettingsE'
        b'ntry\x1ah\n\x0cSettingValue\x12\x14\n\nbool_param\x18\x01 \x01(\x08H\x00\x12\x16\n\x0cuint32_para'
        b'm\x18\x02 \x01(\rH\x00\x12\x16\n\x0cstring_param\x18\x03 \x01(\tH\x00B\x12\n\x10parameter_choice'
        b'\x1a\\\n\rSettingsEntry\x12\x0b\n\x03key\x18\x01 \x01(\t\x12:\n\x05value\x18\x02 \x01(\x0b2+.infe'
        b'rence.LogSettingsResponse.SettingValue:\x028\x012\xc0\x0e\n\x14GRPCInferenceService\x12I\n\nServe'
        b'rLive\x12\x1c.inference.ServerLiveRequest\x1a\x1d.inference.ServerLiveResponse\x12L\n\x0bServerRe'
        b'ady\x12\x1d.inference.ServerReadyRequest\x1a\x1e.inference.ServerReadyResponse\x12I\n\nModelReady'
        b'\x12\x1c.inference.ModelReadyRequest\x1a\x1d.inference.ModelReadyResponse\x12U\n\x0eServerMetadat'
        b'a\x12 .inference.ServerMetadataRequest\x1a!.inference.ServerMetadataResponse\x12R\n\rModelMetadat'
        b'a\x12\x1f.inference.ModelMetadataRequest\x1a .inference.ModelMetadataResponse\x12I\n\nModelInfer'
        b'\x12\x1c.inference.ModelInferRequest\x1a\x1d.inference.ModelInferResponse\x12Y\n\x10ModelStreamIn'
        b'fer\x12\x1c.inference.ModelInferRequest\x1a#.inference.ModelStreamInferResponse(\x010\x01\x12X\n'
        b'\x0fModelStatistics\x12!.inference.ModelStatisticsRequest\x1a".inference.ModelStatisticsResponse'
        b'\x12X\n\x0fRepositoryIndex\x12!.inference.RepositoryIndexRequest\x1a".inference.RepositoryIndexRe'
        b'sponse\x12d\n\x13RepositoryModelLoad\x12%.inference.RepositoryModelLoadRequest\x1a&.inference.Rep'
        b"ositoryModelLoadResponse\x12j\n\x15RepositoryModelUnload\x12'.inference.RepositoryModelUnloadRequ"
        b'est\x1a(.inference.RepositoryModelUnloadResponse\x12s\n\x18SystemSharedMemoryStatus\x12*.inferenc'
        b'e.SystemSharedMemoryStatusRequest\x1a+.inference.SystemSharedMemoryStatusResponse\x12y\n\x1aSyste'
        b'mSharedMemoryRegister\x12,.inference.SystemSharedMemoryRegisterRequest\x1a-.inference.SystemShare'
        b'dMemoryRegisterResponse\x12\x7f\n\x1cSystemSharedMemoryUnregister\x12..inference.SystemSharedMemo'
        b'ryUnregisterRequest\x1a/.inference.SystemSharedMemoryUnregisterResponse\x12m\n\x16CudaSharedMemor'
        b'yStatus\x12(.inference.CudaSharedMemoryStatusRequest\x1a).inference.CudaSharedMemoryStatusRespons'
        b'e\x12s\n\x18CudaSharedMemoryRegister\x12*.inference.CudaSharedMemoryRegisterRequest\x1a+.inferenc'
        b'e.CudaSharedMemoryRegisterResponse\x12y\n\x1aCudaSharedMemoryUnregister\x12,.inference.CudaShared'
        b'MemoryUnregisterRequest\x1a-.inference.CudaSharedMemoryUnregisterResponse\x12O\n\x0cTraceSetting'
        b'\x12\x1e.inference.TraceSettingRequest\x1a\x1f.inference.TraceSettingResponse\x12L\n\x0bLogSettin'
        b'gs\x12\x1d.inference.LogSettingsRequest\x1a\x1e.inference.LogSettingsResponseb\x06proto3'
    ),
    'executor/_pb/reflection_v1.proto': (
        b'\n executor/_pb/reflection_v1.proto\x12\x12grpc.reflection.v1"\x85\x02\n\x17ServerReflectionReque'
        b'st\x12\x0c\n\x04host\x18\x01 \x01(\t\x12\x1a\n\x10file_by_filename\x18\x03 \x01(\tH\x00\x12 \n'
        b'\x16file_containing_symbol\x18\x04 \x01(\tH\x00\x12I\n\x19file_containing_extension\x18\x05 \x01('
        b"\x0b2$.grpc.reflection.v1.ExtensionRequestH\x00\x12'\n\x1dall_extension_numbers_of_type\x18\x06 "
        b'\x01(\tH\x00\x12\x17\n\rlist_services\x18\x07 \x01(\tH\x00B\x11\n\x0fmessage_request"E\n\x10Exten'
        b'sionRequest\x12\x17\n\x0fcontaining_type\x18\x01 \x01(\t\x12\x18\n\x10extension_number\x18\x02 '
        b'\x01(\x05"\xb8\x03\n\x18ServerReflectionResponse\x12\x12\n\nvalid_host\x18\x01 \x01(\t\x12E\n\x10'
        b'original_request\x18\x02 \x01(\x0b2+.grpc.reflection.v1.ServerReflectionRequest\x12N\n\x18file_de'
        b'scriptor_response\x18\x04 \x01(\x0b2*.grpc.reflection.v1.FileDescriptorResponseH\x00\x12U\n\x1eal'
        b'l_extension_numbers_response\x18\x05 \x01(\x0b2+.grpc.reflection.v1.ExtensionNumberResponseH\x00'
        b"\x12I\n\x16list_services_response\x18\x06 \x01(\x0b2'.grpc.reflection.v1.ListServiceResponseH\x00"
        b'\x12;\n\x0eerror_response\x18\x07 \x01(\x0b2!.grpc.reflection.v1.ErrorResponseH\x00B\x12\n\x10mes'
        b'sage_response"7\n\x16FileDescriptorResponse\x12\x1d\n\x15file_descriptor_proto\x18\x01 \x03(\x0c"'
        b'K\n\x17ExtensionNumberResponse\x12\x16\n\x0ebase_type_name\x18\x01 \x01(\t\x12\x18\n\x10extension'
        b'_number\x18\x02 \x03(\x05"K\n\x13ListServiceResponse\x124\n\x07service\x18\x01 \x03(\x0b2#.grpc.r'
        b'eflection.v1.ServiceResponse"\x1f\n\x0fServiceResponse\x12\x0c\n\x04name\x18\x01 \x01(\t":\n\rErr'
        b'orResponse\x12\x12\n\nerror_code\x18\x01 \x01(\x05\x12\x15\n\rerror_message\x18\x02 \x01(\t2\x89'
        b'\x01\n\x10ServerReflection\x12u\n\x14ServerReflectionInfo\x12+.grpc.reflection.v1.ServerReflectio'
        b'nRequest\x1a,.grpc.reflection.v1.ServerReflectionResponse(\x010\x01b\x06proto3'
    ),
    'executor/_pb/reflection_v1alpha.proto': (
        b'\n%executor/_pb/reflection_v1alpha.proto\x12\x17grpc.reflection.v1alpha"\x8a\x02\n\x17ServerRefle'
        b'ctionRequest\x12\x0c\n\x04host\x18\x01 \x01(\t\x12\x1a\n\x10file_by_filename\x18\x03 \x01(\tH\x00'
        b'\x12 \n\x16file_containing_symbol\x18\x04 \x01(\tH\x00\x12N\n\x19file_containing_extension\x18'
        b"\x05 \x01(\x0b2).grpc.reflection.v1alpha.ExtensionRequestH\x00\x12'\n\x1dall_extension_numbers_of"
        b'_type\x18\x06 \x01(\tH\x00\x12\x17\n\rlist_services\x18\x07 \x01(\tH\x00B\x11\n\x0fmessage_reques'
        b't"E\n\x10ExtensionRequest\x12\x17\n\x0fcontaining_type\x18\x01 \x01(\t\x12\x18\n\x10extension_num'
        b'ber\x18\x02 \x01(\x05"\xd1\x03\n\x18ServerReflectionResponse\x12\x12\n\nvalid_host\x18\x01 \x01('
        b'\t\x12J\n\x10original_request\x18\x02 \x01(\x0b20.grpc.reflection.v1alpha.ServerReflectionRequest'
        b'\x12S\n\x18file_descriptor_response\x18\x04 \x01(\x0b2/.grpc.reflection.v1alpha.FileDescriptorRes'
        b'ponseH\x00\x12Z\n\x1eall_extension_numbers_response\x18\x05 \x01(\x0b20.grpc.reflection.v1alpha.E'
        b'xtensionNumberResponseH\x00\x12N\n\x16list_services_response\x18\x06 \x01(\x0b2,.grpc.reflection.'
        b'v1alpha.ListServiceResponseH\x00\x12@\n\x0eerror_response\x18\x07 \x01(\x0b2&.grpc.reflection.v1a'
        b'lpha.ErrorResponseH\x00B\x12\n\x10message_response"7\n\x16FileDescriptorResponse\x12\x1d\n\x15fil'
        b'e_descriptor_proto\x18\x01 \x03(\x0c"K\n\x17ExtensionNumberResponse\x12\x16\n\x0ebase_type_name'
        b'\x18\x01 \x01(\t\x12\x18\n\x10extension_number\x18\x02 \x03(\x05"P\n\x13ListServiceResponse\x129'
        b'\n\x07service\x18\x01 \x03(\x0b2(.grpc.reflection.v1alpha.ServiceResponse"\x1f\n\x0fServiceRespon'
        b'se\x12\x0c\n\x04name\x18\x01 \x01(\t":\n\rErrorResponse\x12\x12\n\nerror_code\x18\x01 \x01(\x05'
        b'\x12\x15\n\rerror_message\x18\x02 \x01(\t2\x93\x01\n\x10ServerReflection\x12\x7f\n\x14ServerRefle'
        b'ctionInfo\x120.grpc.reflection.v1alpha.ServerReflectionRequest\x1a1.grpc.reflection.v1alpha.Serve'
        b'rReflectionResponse(\x010\x01b\x06proto3'
    ),
    'executor/_pb/seldon.proto': (
        b'\n\x19executor/_pb/seldon.proto\x12\rseldon.protos\x1a\x19google/protobuf/any.proto\x1a\x1bgoogle'
        b'/protobuf/empty.proto\x1a\x1cgoogle/protobuf/struct.proto\x1a\x1dexecutor/_pb/tensorflow.proto"'
        b'\x91\x02\n\rSeldonMessage\x12%\n\x06status\x18\x01 \x01(\x0b2\x15.seldon.protos.Status\x12!\n\x04'
        b'meta\x18\x02 \x01(\x0b2\x13.seldon.protos.Meta\x12*\n\x04data\x18\x03 \x01(\x0b2\x1a.seldon.proto'
        b's.DefaultDataH\x00\x12\x11\n\x07binData\x18\x04 \x01(\x0cH\x00\x12\x11\n\x07strData\x18\x05 \x01('
        b'\tH\x00\x12*\n\x08jsonData\x18\x06 \x01(\x0b2\x16.google.protobuf.ValueH\x00\x12*\n\ncustomData'
        b'\x18\x07 \x01(\x0b2\x14.google.protobuf.AnyH\x00B\x0c\n\ndata_oneof"\xaf\x01\n\x0bDefaultData\x12'
        b"\r\n\x05names\x18\x01 \x03(\t\x12'\n\x06tensor\x18\x02 \x01(\x0b2\x15.seldon.protos.TensorH\x00"
        b'\x12-\n\x07ndarray\x18\x03 \x01(\x0b2\x1a.google.protobuf.ListValueH\x00\x12+\n\x08tftensor\x18'
        b'\x04 \x01(\x0b2\x17.tensorflow.TensorProtoH\x00B\x0c\n\ndata_oneof"/\n\x06Tensor\x12\x11\n\x05sha'
        b'pe\x18\x01 \x03(\x05B\x02\x10\x01\x12\x12\n\x06values\x18\x02 \x03(\x01B\x02\x10\x01"\x80\x03\n'
        b'\x04Meta\x12\x0c\n\x04puid\x18\x01 \x01(\t\x12+\n\x04tags\x18\x02 \x03(\x0b2\x1d.seldon.protos.Me'
        b'ta.TagsEntry\x121\n\x07routing\x18\x03 \x03(\x0b2 .seldon.protos.Meta.RoutingEntry\x129\n\x0brequ'
        b'estPath\x18\x04 \x03(\x0b2$.seldon.protos.Meta.RequestPathEntry\x12&\n\x07metrics\x18\x05 \x03('
        b'\x0b2\x15.seldon.protos.Metric\x1aC\n\tTagsEntry\x12\x0b\n\x03key\x18\x01 \x01(\t\x12%\n\x05value'
        b'\x18\x02 \x01(\x0b2\x16.google.protobuf.Value:\x028\x01\x1a.\n\x0cRoutingEntry\x12\x0b\n\x03key'
        b'\x18\x01 \x01(\t\x12\r\n\x05value\x18\x02 \x01(\x05:\x028\x01\x1a2\n\x10RequestPathEntry\x12\x0b'
        b'\n\x03key\x18\x01 \x01(\t\x12\r\n\x05value\x18\x02 \x01(\t:\x028\x01"\xe1\x01\n\x06Metric\x12\x0b'
        b'\n\x03key\x18\x01 \x01(\t\x12.\n\x04type\x18\x02 \x01(\x0e2 .seldon.protos.Metric.MetricType\x12'
        b'\r\n\x05value\x18\x03 \x01(\x02\x12-\n\x04tags\x18\x04 \x03(\x0b2\x1f.seldon.protos.Metric.TagsEn'
        b'try\x1a+\n\tTagsEntry\x12\x0b\n\x03key\x18\x01 \x01(\t\x12\r\n\x05value\x18\x02 \x01(\t:\x028\x01'
        b'"/\n\nMetricType\x12\x0b\n\x07COUNTER\x10\x00\x12\t\n\x05GAUGE\x10\x01\x12\t\n\x05TIMER\x10\x02"I'
        b'\n\x11SeldonMessageList\x124\n\x0eseldonMessages\x18\x01 \x03(\x0b2\x1c.seldon.protos.SeldonMessa'
        b'ge"\x8e\x01\n\x06Status\x12\x0c\n\x04code\x18\x01 \x01(\x05\x12\x0c\n\x04info\x18\x02 \x01(\t\x12'
        b'\x0e\n\x06reason\x18\x03 \x01(\t\x120\n\x06status\x18\x04 \x01(\x0e2 .seldon.protos.Status.Status'
        b'Flag"&\n\nStatusFlag\x12\x0b\n\x07SUCCESS\x10\x00\x12\x0b\n\x07FAILURE\x10\x01"\xa6\x01\n\x08Feed'
        b'back\x12-\n\x07request\x18\x01 \x01(\x0b2\x1c.seldon.protos.SeldonMessage\x12.\n\x08response\x18'
        b'\x02 \x01(\x0b2\x1c.seldon.protos.SeldonMessage\x12\x0e\n\x06reward\x18\x03 \x01(\x02\x12+\n\x05t'
        b'ruth\x18\x04 \x01(\x0b2\x1c.seldon.protos.SeldonMessage"p\n\x0fRequestResponse\x12-\n\x07request'
        b'\x18\x01 \x01(\x0b2\x1c.seldon.protos.SeldonMessage\x12.\n\x08response\x18\x02 \x01(\x0b2\x1c.sel'
        b'don.protos.SeldonMessage"*\n\x1aSeldonModelMetadataRequest\x12\x0c\n\x04name\x18\x01 \x01(\t"\x83'
        b'\x01\n\x15SeldonMessageMetadata\x12\x13\n\x0bmessagetype\x18\x01 \x01(\t\x12&\n\x06schema\x18\x02'
        b' \x01(\x0b2\x16.google.protobuf.Value\x12\x0c\n\x04name\x18\x03 \x01(\t\x12\x10\n\x08datatype\x18'
        b'\x04 \x01(\t\x12\r\n\x05shape\x18\x05 \x03(\x03"\xa3\x02\n\x13SeldonModelMetadata\x12\x0c\n\x04na'
        b'me\x18\x01 \x01(\t\x12\x10\n\x08versions\x18\x02 \x03(\t\x12\x10\n\x08platform\x18\x03 \x01(\t'
        b'\x124\n\x06inputs\x18\x04 \x03(\x0b2$.seldon.protos.SeldonMessageMetadata\x125\n\x07outputs\x18'
        b'\x05 \x03(\x0b2$.seldon.protos.SeldonMessageMetadata\x12>\n\x06custom\x18\x06 \x03(\x0b2..seldon.'
        b'protos.SeldonModelMetadata.CustomEntry\x1a-\n\x0bCustomEntry\x12\x0b\n\x03key\x18\x01 \x01(\t\x12'
        b'\r\n\x05value\x18\x02 \x01(\t:\x028\x01"\xa3\x02\n\x13SeldonGraphMetadata\x12\x0c\n\x04name\x18'
        b'\x01 \x01(\t\x12>\n\x06models\x18\x02 \x03(\x0b2..seldon.protos.SeldonGraphMetadata.ModelsEntry'
        b'\x124\n\x06inputs\x18\x03 \x03(\x0b2$.seldon.protos.SeldonMessageMetadata\x125\n\x07outputs\x18'
        b'\x04 \x03(\x0b2$.seldon.protos.SeldonMessageMetadata\x1aQ\n\x0bModelsEntry\x12\x0b\n\x03key\x18'
        b'\x01 \x01(\t\x121\n\x05value\x18\x02 \x01(\x0b2".seldon.protos.SeldonModelMetadata:\x028\x012\xc3'
        b'\x02\n\x06Seldon\x12E\n\x07Predict\x12\x1c.seldon.protos.SeldonMessage\x1a\x1c.seldon.protos.Seld'
        b'onMessage\x12E\n\x0cSendFeedback\x12\x17.seldon.protos.Feedback\x1a\x1c.seldon.protos.SeldonMessa'
        b'ge\x12^\n\rModelMetadata\x12).seldon.protos.SeldonModelMetadataRequest\x1a".seldon.protos.SeldonM'
        b'odelMetadata\x12K\n\rGraphMetadata\x12\x16.google.protobuf.Empty\x1a".seldon.protos.SeldonGraphMe'
        b'tadata2\xdd\x01\n\x05Model\x12E\n\x07Predict\x12\x1c.seldon.protos.SeldonMessage\x1a\x1c.seldon.p'
        b'rotos.SeldonMessage\x12E\n\x0cSendFeedback\x12\x17.seldon.protos.Feedback\x1a\x1c.seldon.protos.S'
        b'eldonMessage\x12F\n\x08Metadata\x12\x16.google.protobuf.Empty\x1a".seldon.protos.SeldonModelMetad'
        b'ata2\x94\x01\n\x06Router\x12C\n\x05Route\x12\x1c.seldon.protos.SeldonMessage\x1a\x1c.seldon.proto'
        b's.SeldonMessage\x12E\n\x0cSendFeedback\x12\x17.seldon.protos.Feedback\x1a\x1c.seldon.protos.Seldo'
        b'nMessage2[\n\x0bTransformer\x12L\n\x0eTransformInput\x12\x1c.seldon.protos.SeldonMessage\x1a\x1c.'
        b'seldon.protos.SeldonMessage2b\n\x11OutputTransformer\x12M\n\x0fTransformOutput\x12\x1c.seldon.pro'
        b'tos.SeldonMessage\x1a\x1c.seldon.protos.SeldonMessage2W\n\x08Combiner\x12K\n\tAggregate\x12 .seld'
        b'on.protos.SeldonMessageList\x1a\x1c.seldon.protos.SeldonMessage2\xff\x02\n\x07Generic\x12L\n\x0eT'
        b'ransformInput\x12\x1c.seldon.protos.SeldonMessage\x1a\x1c.seldon.protos.SeldonMessage\x12M\n\x0fT'
        b'ransformOutput\x12\x1c.seldon.protos.SeldonMessage\x1a\x1c.seldon.protos.SeldonMessage\x12C\n\x05'
        b'Route\x12\x1c.seldon.protos.SeldonMessage\x1a\x1c.seldon.protos.SeldonMessage\x12K\n\tAggregate'
        b'\x12 .seldon.protos.SeldonMessageList\x1a\x1c.seldon.protos.SeldonMessage\x12E\n\x0cSendFeedback'
        b'\x12\x17.seldon.protos.Feedback\x1a\x1c.seldon.protos.SeldonMessageb\x06proto3'
    ),
    'executor/_pb/tensorflow.proto': (
        b'\n\x1dexecutor/_pb/tensorflow.proto\x12\ntensorflow"z\n\x10TensorShapeProto\x12-\n\x03dim\x18\x02'
        b' \x03(\x0b2 .tensorflow.TensorShapeProto.Dim\x12\x14\n\x0cunknown_rank\x18\x03 \x01(\x08\x1a!\n'
        b'\x03Dim\x12\x0c\n\x04size\x18\x01 \x01(\x03\x12\x0c\n\x04name\x18\x02 \x01(\t"\x8c\x04\n\x0bTenso'
        b'rProto\x12#\n\x05dtype\x18\x01 \x01(\x0e2\x14.tensorflow.DataType\x122\n\x0ctensor_shape\x18\x02 '
        b'\x01(\x0b2\x1c.tensorflow.TensorShapeProto\x12\x16\n\x0eversion_number\x18\x03 \x01(\x05\x12\x16'
        b'\n\x0etensor_content\x18\x04 \x01(\x0c\x12\x15\n\tfloat_val\x18\x05 \x03(\x02B\x02\x10\x01\x12'
        b'\x16\n\ndouble_val\x18\x06 \x03(\x01B\x02\x10\x01\x12\x13\n\x07int_val\x18\x07 \x03(\x05B\x02\x10'
        b'\x01\x12\x12\n\nstring_val\x18\x08 \x03(\x0c\x12\x18\n\x0cscomplex_val\x18\t \x03(\x02B\x02\x10'
        b'\x01\x12\x15\n\tint64_val\x18\n \x03(\x03B\x02\x10\x01\x12\x14\n\x08bool_val\x18\x0b \x03(\x08B'
        b'\x02\x10\x01\x12\x18\n\x0cdcomplex_val\x18\x0c \x03(\x01B\x02\x10\x01\x12\x14\n\x08half_val\x18\r'
        b' \x03(\x05B\x02\x10\x01\x12<\n\x13resource_handle_val\x18\x0e \x03(\x0b2\x1f.tensorflow.ResourceH'
        b'andleProto\x127\n\x0bvariant_val\x18\x0f \x03(\x0b2".tensorflow.VariantTensorDataProto\x12\x16\n'
        b'\nuint32_val\x18\x10 \x03(\rB\x02\x10\x01\x12\x16\n\nuint64_val\x18\x11 \x03(\x04B\x02\x10\x01"'
        b'\x9f\x02\n\x13ResourceHandleProto\x12\x0e\n\x06device\x18\x01 \x01(\t\x12\x11\n\tcontainer\x18'
        b'\x02 \x01(\t\x12\x0c\n\x04name\x18\x03 \x01(\t\x12\x11\n\thash_code\x18\x04 \x01(\x04\x12\x17\n'
        b'\x0fmaybe_type_name\x18\x05 \x01(\t\x12H\n\x11dtypes_and_shapes\x18\x06 \x03(\x0b2-.tensorflow.Re'
        b'sourceHandleProto.DtypeAndShape\x1aa\n\rDtypeAndShape\x12#\n\x05dtype\x18\x01 \x01(\x0e2\x14.tens'
        b'orflow.DataType\x12+\n\x05shape\x18\x02 \x01(\x0b2\x1c.tensorflow.TensorShapeProto"g\n\x16Variant'
        b'TensorDataProto\x12\x11\n\ttype_name\x18\x01 \x01(\t\x12\x10\n\x08metadata\x18\x02 \x01(\x0c\x12('
        b'\n\x07tensors\x18\x03 \x03(\x0b2\x17.tensorflow.TensorProto*\xaa\x06\n\x08DataType\x12\x0e\n\nDT_'
        b'INVALID\x10\x00\x12\x0c\n\x08DT_FLOAT\x10\x01\x12\r\n\tDT_DOUBLE\x10\x02\x12\x0c\n\x08DT_INT32'
        b'\x10\x03\x12\x0c\n\x08DT_UINT8\x10\x04\x12\x0c\n\x08DT_INT16\x10\x05\x12\x0b\n\x07DT_INT8\x10\x06'
        b'\x12\r\n\tDT_STRING\x10\x07\x12\x10\n\x0cDT_COMPLEX64\x10\x08\x12\x0c\n\x08DT_INT64\x10\t\x12\x0b'
        b'\n\x07DT_BOOL\x10\n\x12\x0c\n\x08DT_QINT8\x10\x0b\x12\r\n\tDT_QUINT8\x10\x0c\x12\r\n\tDT_QINT32'
        b'\x10\r\x12\x0f\n\x0bDT_BFLOAT16\x10\x0e\x12\r\n\tDT_QINT16\x10\x0f\x12\x0e\n\nDT_QUINT16\x10\x10'
        b'\x12\r\n\tDT_UINT16\x10\x11\x12\x11\n\rDT_COMPLEX128\x10\x12\x12\x0b\n\x07DT_HALF\x10\x13\x12\x0f'
        b'\n\x0bDT_RESOURCE\x10\x14\x12\x0e\n\nDT_VARIANT\x10\x15\x12\r\n\tDT_UINT32\x10\x16\x12\r\n\tDT_UI'
        b'NT64\x10\x17\x12\x10\n\x0cDT_FLOAT_REF\x10e\x12\x11\n\rDT_DOUBLE_REF\x10f\x12\x10\n\x0cDT_INT32_R'
        b'EF\x10g\x12\x10\n\x0cDT_UINT8_REF\x10h\x12\x10\n\x0cDT_INT16_REF\x10i\x12\x0f\n\x0bDT_INT8_REF'
        b'\x10j\x12\x11\n\rDT_STRING_REF\x10k\x12\x14\n\x10DT_COMPLEX64_REF\x10l\x12\x10\n\x0cDT_INT64_REF'
        b'\x10m\x12\x0f\n\x0bDT_BOOL_REF\x10n\x12\x10\n\x0cDT_QINT8_REF\x10o\x12\x11\n\rDT_QUINT8_REF\x10p'
        b'\x12\x11\n\rDT_QINT32_REF\x10q\x12\x13\n\x0fDT_BFLOAT16_REF\x10r\x12\x11\n\rDT_QINT16_REF\x10s'
        b'\x12\x12\n\x0eDT_QUINT16_REF\x10t\x12\x11\n\rDT_UINT16_REF\x10u\x12\x15\n\x11DT_COMPLEX128_REF'
        b'\x10v\x12\x0f\n\x0bDT_HALF_REF\x10w\x12\x13\n\x0fDT_RESOURCE_REF\x10x\x12\x12\n\x0eDT_VARIANT_REF'
        b'\x10y\x12\x11\n\rDT_UINT32_REF\x10z\x12\x11\n\rDT_UINT64_REF\x10{b\x06proto3'
    ),
    'google/protobuf/any.proto': (
        b'\n\x19google/protobuf/any.proto\x12\x0fgoogle.protobuf"&\n\x03Any\x12\x10\n\x08type_url\x18\x01 '
        b'\x01(\t\x12\r\n\x05value\x18\x02 \x01(\x0cBv\n\x13com.google.protobufB\x08AnyProtoP\x01Z,google.g'
        b'olang.org/protobuf/types/known/anypb\xa2\x02\x03GPB\xaa\x02\x1eGoogle.Protobuf.WellKnownTypesb'
        b'\x06proto3'
    ),
    'google/protobuf/empty.proto': (
        b'\n\x1bgoogle/protobuf/empty.proto\x12\x0fgoogle.protobuf"\x07\n\x05EmptyB}\n\x13com.google.protob'
        b'ufB\nEmptyProtoP\x01Z.google.golang.org/protobuf/types/known/emptypb\xf8\x01\x01\xa2\x02\x03GPB'
        b'\xaa\x02\x1eGoogle.Protobuf.WellKnownTypesb\x06proto3'
    ),
    'google/protobuf/struct.proto': (
        b'\n\x1cgoogle/protobuf/struct.proto\x12\x0fgoogle.protobuf"\x84\x01\n\x06Struct\x123\n\x06fields'
        b'\x18\x01 \x03(\x0b2#.google.protobuf.Struct.FieldsEntry\x1aE\n\x0bFieldsEntry\x12\x0b\n\x03key'
        b'\x18\x01 \x01(\t\x12%\n\x05value\x18\x02 \x01(\x0b2\x16.google.protobuf.Value:\x028\x01"\xea\x01'
        b'\n\x05Value\x120\n\nnull_value\x18\x01 \x01(\x0e2\x1a.google.protobuf.NullValueH\x00\x12\x16\n'
        b'\x0cnumber_value\x18\x02 \x01(\x01H\x00\x12\x16\n\x0cstring_value\x18\x03 \x01(\tH\x00\x12\x14\n'
        b'\nbool_value\x18\x04 \x01(\x08H\x00\x12/\n\x0cstruct_value\x18\x05 \x01(\x0b2\x17.google.protobuf'
        b'.StructH\x00\x120\n\nlist_value\x18\x06 \x01(\x0b2\x1a.google.protobuf.ListValueH\x00B\x06\n\x04k'
        b'ind"3\n\tListValue\x12&\n\x06values\x18\x01 \x03(\x0b2\x16.google.protobuf.Value*\x1b\n\tNullValu'
        b'e\x12\x0e\n\nNULL_VALUE\x10\x00B\x7f\n\x13com.google.protobufB\x0bStructProtoP\x01Z/google.golang'
        b'.org/protobuf/types/known/structpb\xf8\x01\x01\xa2\x02\x03GPB\xaa\x02\x1eGoogle.Protobuf.WellKnow'
        b'nTypesb\x06proto3'
    ),
}
"""Serialized google.protobuf.FileDescriptorProto by file name."""

DEPENDENCIES: Final[dict[str, tuple[str, ...]]] = {
    'executor/_pb/health.proto': (),
    'executor/_pb/inference.proto': (),
    'executor/_pb/reflection_v1.proto': (),
    'executor/_pb/reflection_v1alpha.proto': (),
    'executor/_pb/seldon.proto': ('google/protobuf/any.proto', 'google/protobuf/empty.proto', 'google/protobuf/struct.proto', 'executor/_pb/tensorflow.proto'),
    'executor/_pb/tensorflow.proto': (),
    'google/protobuf/any.proto': (),
    'google/protobuf/empty.proto': (),
    'google/protobuf/struct.proto': (),
}
"""The files that each file imports; every one of them is in FILES."""

SYMBOLS: Final[dict[str, str]] = {
    'grpc.health.v1.HealthCheckRequest': 'executor/_pb/health.proto',
    'grpc.health.v1.HealthCheckRequest.service': 'executor/_pb/health.proto',
    'grpc.health.v1.HealthCheckResponse': 'executor/_pb/health.proto',
    'grpc.health.v1.HealthCheckResponse.status': 'executor/_pb/health.proto',
    'grpc.health.v1.HealthCheckResponse.ServingStatus': 'executor/_pb/health.proto',
    'grpc.health.v1.HealthCheckResponse.UNKNOWN': 'executor/_pb/health.proto',
    'grpc.health.v1.HealthCheckResponse.SERVING': 'executor/_pb/health.proto',
    'grpc.health.v1.HealthCheckResponse.NOT_SERVING': 'executor/_pb/health.proto',
    'grpc.health.v1.HealthCheckResponse.SERVICE_UNKNOWN': 'executor/_pb/health.proto',
    'grpc.health.v1.Health': 'executor/_pb/health.proto',
    'grpc.health.v1.Health.Check': 'executor/_pb/health.proto',
    'grpc.health.v1.Health.Watch': 'executor/_pb/health.proto',
    'inference.ServerLiveRequest': 'executor/_pb/inference.proto',
    'inference.ServerLiveResponse': 'executor/_pb/inference.proto',
    'inference.ServerLiveResponse.live': 'executor/_pb/inference.proto',
    'inference.ServerReadyRequest': 'executor/_pb/inference.proto',
    'inference.ServerReadyResponse': 'executor/_pb/inference.proto',
    'inference.ServerReadyResponse.ready': 'executor/_pb/inference.proto',
    'inference.ModelReadyRequest': 'executor/_pb/inference.proto',
    'inference.ModelReadyRequest.name': 'executor/_pb/inference.proto',
    'inference.ModelReadyRequest.version': 'executor/_pb/inference.proto',
    'inference.ModelReadyResponse': 'executor/_pb/inference.proto',
    'inference.ModelReadyResponse.ready': 'executor/_pb/inference.proto',
    'inference.ServerMetadataRequest': 'executor/_pb/inference.proto',
    'inference.ServerMetadataResponse': 'executor/_pb/inference.proto',
    'inference.ServerMetadataResponse.name': 'executor/_pb/inference.proto',
    'inference.ServerMetadataResponse.version': 'executor/_pb/inference.proto',
    'inference.ServerMetadataResponse.extensions': 'executor/_pb/inference.proto',
    'inference.ModelMetadataRequest': 'executor/_pb/inference.proto',
    'inference.ModelMetadataRequest.name': 'executor/_pb/inference.proto',
    'inference.ModelMetadataRequest.version': 'executor/_pb/inference.proto',
    'inference.ModelMetadataResponse': 'executor/_pb/inference.proto',
    'inference.ModelMetadataResponse.name': 'executor/_pb/inference.proto',
    'inference.ModelMetadataResponse.versions': 'executor/_pb/inference.proto',
    'inference.ModelMetadataResponse.platform': 'executor/_pb/inference.proto',
    'inference.ModelMetadataResponse.inputs': 'executor/_pb/inference.proto',
    'inference.ModelMetadataResponse.outputs': 'executor/_pb/inference.proto',
    'inference.ModelMetadataResponse.properties': 'executor/_pb/inference.proto',
    'inference.ModelMetadataResponse.TensorMetadata': 'executor/_pb/inference.proto',
    'inference.ModelMetadataResponse.TensorMetadata.name': 'executor/_pb/inference.proto',
    'inference.ModelMetadataResponse.TensorMetadata.datatype': 'executor/_pb/inference.proto',
    'inference.ModelMetadataResponse.TensorMetadata.shape': 'executor/_pb/inference.proto',
    'inference.ModelMetadataResponse.PropertiesEntry': 'executor/_pb/inference.proto',
    'inference.ModelMetadataResponse.PropertiesEntry.key': 'executor/_pb/inference.proto',
    'inference.ModelMetadataResponse.PropertiesEntry.value': 'executor/_pb/inference.proto',
    'inference.InferParameter': 'executor/_pb/inference.proto',
    'inference.InferParameter.bool_param': 'executor/_pb/inference.proto',
    'inference.InferParameter.int64_param': 'executor/_pb/inference.proto',
    'inference.InferParameter.string_param': 'executor/_pb/inference.proto',
    'inference.InferParameter.double_param': 'executor/_pb/inference.proto',
    'inference.InferParameter.uint64_param': 'executor/_pb/inference.proto',
    'inference.InferParameter.parameter_choice': 'executor/_pb/inference.proto',
    'inference.InferTensorContents': 'executor/_pb/inference.proto',
    'inference.InferTensorContents.bool_contents': 'executor/_pb/inference.proto',
    'inference.InferTensorContents.int_contents': 'executor/_pb/inference.proto',
    'inference.InferTensorContents.int64_contents': 'executor/_pb/inference.proto',
    'inference.InferTensorContents.uint_contents': 'executor/_pb/inference.proto',
    'inference.InferTensorContents.uint64_contents': 'executor/_pb/inference.proto',
    'inference.InferTensorContents.fp32_contents': 'executor/_pb/inference.proto',
    'inference.InferTensorContents.fp64_contents': 'executor/_pb/inference.proto',
    'inference.InferTensorContents.bytes_contents': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.model_name': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.model_version': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.id': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.parameters': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.inputs': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.outputs': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.raw_input_contents': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.InferInputTensor': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.InferInputTensor.name': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.InferInputTensor.datatype': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.InferInputTensor.shape': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.InferInputTensor.parameters': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.InferInputTensor.contents': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.InferInputTensor.ParametersEntry': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.InferInputTensor.ParametersEntry.key': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.InferInputTensor.ParametersEntry.value': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.InferRequestedOutputTensor': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.InferRequestedOutputTensor.name': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.InferRequestedOutputTensor.parameters': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.InferRequestedOutputTensor.ParametersEntry': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.InferRequestedOutputTensor.ParametersEntry.key': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.InferRequestedOutputTensor.ParametersEntry.value': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.ParametersEntry': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.ParametersEntry.key': 'executor/_pb/inference.proto',
    'inference.ModelInferRequest.ParametersEntry.value': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.model_name': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.model_version': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.id': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.parameters': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.outputs': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.raw_output_contents': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.InferOutputTensor': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.InferOutputTensor.name': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.InferOutputTensor.datatype': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.InferOutputTensor.shape': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.InferOutputTensor.parameters': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.InferOutputTensor.contents': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.InferOutputTensor.ParametersEntry': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.InferOutputTensor.ParametersEntry.key': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.InferOutputTensor.ParametersEntry.value': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.ParametersEntry': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.ParametersEntry.key': 'executor/_pb/inference.proto',
    'inference.ModelInferResponse.ParametersEntry.value': 'executor/_pb/inference.proto',
    'inference.ModelStreamInferResponse': 'executor/_pb/inference.proto',
    'inference.ModelStreamInferResponse.error_message': 'executor/_pb/inference.proto',
    'inference.ModelStreamInferResponse.infer_response': 'executor/_pb/inference.proto',
    'inference.ModelStatisticsRequest': 'executor/_pb/inference.proto',
    'inference.ModelStatisticsRequest.name': 'executor/_pb/inference.proto',
    'inference.ModelStatisticsRequest.version': 'executor/_pb/inference.proto',
    'inference.StatisticDuration': 'executor/_pb/inference.proto',
    'inference.StatisticDuration.count': 'executor/_pb/inference.proto',
    'inference.StatisticDuration.ns': 'executor/_pb/inference.proto',
    'inference.InferStatistics': 'executor/_pb/inference.proto',
    'inference.InferStatistics.success': 'executor/_pb/inference.proto',
    'inference.InferStatistics.fail': 'executor/_pb/inference.proto',
    'inference.InferStatistics.queue': 'executor/_pb/inference.proto',
    'inference.InferStatistics.compute_input': 'executor/_pb/inference.proto',
    'inference.InferStatistics.compute_infer': 'executor/_pb/inference.proto',
    'inference.InferStatistics.compute_output': 'executor/_pb/inference.proto',
    'inference.InferStatistics.cache_hit': 'executor/_pb/inference.proto',
    'inference.InferStatistics.cache_miss': 'executor/_pb/inference.proto',
    'inference.InferResponseStatistics': 'executor/_pb/inference.proto',
    'inference.InferResponseStatistics.compute_infer': 'executor/_pb/inference.proto',
    'inference.InferResponseStatistics.compute_output': 'executor/_pb/inference.proto',
    'inference.InferResponseStatistics.success': 'executor/_pb/inference.proto',
    'inference.InferResponseStatistics.fail': 'executor/_pb/inference.proto',
    'inference.InferResponseStatistics.empty_response': 'executor/_pb/inference.proto',
    'inference.InferResponseStatistics.cancel': 'executor/_pb/inference.proto',
    'inference.InferBatchStatistics': 'executor/_pb/inference.proto',
    'inference.InferBatchStatistics.batch_size': 'executor/_pb/inference.proto',
    'inference.InferBatchStatistics.compute_input': 'executor/_pb/inference.proto',
    'inference.InferBatchStatistics.compute_infer': 'executor/_pb/inference.proto',
    'inference.InferBatchStatistics.compute_output': 'executor/_pb/inference.proto',
    'inference.MemoryUsage': 'executor/_pb/inference.proto',
    'inference.MemoryUsage.type': 'executor/_pb/inference.proto',
    'inference.MemoryUsage.id': 'executor/_pb/inference.proto',
    'inference.MemoryUsage.byte_size': 'executor/_pb/inference.proto',
    'inference.ModelStatistics': 'executor/_pb/inference.proto',
    'inference.ModelStatistics.name': 'executor/_pb/inference.proto',
    'inference.ModelStatistics.version': 'executor/_pb/inference.proto',
    'inference.ModelStatistics.last_inference': 'executor/_pb/inference.proto',
    'inference.ModelStatistics.inference_count': 'executor/_pb/inference.proto',
    'inference.ModelStatistics.execution_count': 'executor/_pb/inference.proto',
    'inference.ModelStatistics.inference_stats': 'executor/_pb/inference.proto',
    'inference.ModelStatistics.batch_stats': 'executor/_pb/inference.proto',
    'inference.ModelStatistics.memory_usage': 'executor/_pb/inference.proto',
    'inference.ModelStatistics.response_stats': 'executor/_pb/inference.proto',
    'inference.ModelStatistics.ResponseStatsEntry': 'executor/_pb/inference.proto',
    'inference.ModelStatistics.ResponseStatsEntry.key': 'executor/_pb/inference.proto',
    'inference.ModelStatistics.ResponseStatsEntry.value': 'executor/_pb/inference.proto',
    'inference.ModelStatisticsResponse': 'executor/_pb/inference.proto',
    'inference.ModelStatisticsResponse.model_stats': 'executor/_pb/inference.proto',
    'inference.ModelRepositoryParameter': 'executor/_pb/inference.proto',
    'inference.ModelRepositoryParameter.bool_param': 'executor/_pb/inference.proto',
    'inference.ModelRepositoryParameter.int64_param': 'executor/_pb/inference.proto',
    'inference.ModelRepositoryParameter.string_param': 'executor/_pb/inference.proto',
    'inference.ModelRepositoryParameter.bytes_param': 'executor/_pb/inference.proto',
    'inference.ModelRepositoryParameter.parameter_choice': 'executor/_pb/inference.proto',
    'inference.RepositoryIndexRequest': 'executor/_pb/inference.proto',
    'inference.RepositoryIndexRequest.repository_name': 'executor/_pb/inference.proto',
    'inference.RepositoryIndexRequest.ready': 'executor/_pb/inference.proto',
    'inference.RepositoryIndexResponse': 'executor/_pb/inference.proto',
    'inference.RepositoryIndexResponse.models': 'executor/_pb/inference.proto',
    'inference.RepositoryIndexResponse.ModelIndex': 'executor/_pb/inference.proto',
    'inference.RepositoryIndexResponse.ModelIndex.name': 'executor/_pb/inference.proto',
    'inference.RepositoryIndexResponse.ModelIndex.version': 'executor/_pb/inference.proto',
    'inference.RepositoryIndexResponse.ModelIndex.state': 'executor/_pb/inference.proto',
    'inference.RepositoryIndexResponse.ModelIndex.reason': 'executor/_pb/inference.proto',
    'inference.RepositoryModelLoadRequest': 'executor/_pb/inference.proto',
    'inference.RepositoryModelLoadRequest.repository_name': 'executor/_pb/inference.proto',
    'inference.RepositoryModelLoadRequest.model_name': 'executor/_pb/inference.proto',
    'inference.RepositoryModelLoadRequest.parameters': 'executor/_pb/inference.proto',
    'inference.RepositoryModelLoadRequest.ParametersEntry': 'executor/_pb/inference.proto',
    'inference.RepositoryModelLoadRequest.ParametersEntry.key': 'executor/_pb/inference.proto',
    'inference.RepositoryModelLoadRequest.ParametersEntry.value': 'executor/_pb/inference.proto',
    'inference.RepositoryModelLoadResponse': 'executor/_pb/inference.proto',
    'inference.RepositoryModelUnloadRequest': 'executor/_pb/inference.proto',
    'inference.RepositoryModelUnloadRequest.repository_name': 'executor/_pb/inference.proto',
    'inference.RepositoryModelUnloadRequest.model_name': 'executor/_pb/inference.proto',
    'inference.RepositoryModelUnloadRequest.parameters': 'executor/_pb/inference.proto',
    'inference.RepositoryModelUnloadRequest.ParametersEntry': 'executor/_pb/inference.proto',
    'inference.RepositoryModelUnloadRequest.ParametersEntry.key': 'executor/_pb/inference.proto',
    'inference.RepositoryModelUnloadRequest.ParametersEntry.value': 'executor/_pb/inference.proto',
    'inference.RepositoryModelUnloadResponse': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryStatusRequest': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryStatusRequest.name': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryStatusResponse': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryStatusResponse.regions': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryStatusResponse.RegionStatus': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryStatusResponse.RegionStatus.name': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryStatusResponse.RegionStatus.key': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryStatusResponse.RegionStatus.offset': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryStatusResponse.RegionStatus.byte_size': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryStatusResponse.RegionsEntry': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryStatusResponse.RegionsEntry.key': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryStatusResponse.RegionsEntry.value': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryRegisterRequest': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryRegisterRequest.name': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryRegisterRequest.key': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryRegisterRequest.offset': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryRegisterRequest.byte_size': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryRegisterResponse': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryUnregisterRequest': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryUnregisterRequest.name': 'executor/_pb/inference.proto',
    'inference.SystemSharedMemoryUnregisterResponse': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryStatusRequest': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryStatusRequest.name': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryStatusResponse': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryStatusResponse.regions': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryStatusResponse.RegionStatus': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryStatusResponse.RegionStatus.name': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryStatusResponse.RegionStatus.device_id': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryStatusResponse.RegionStatus.byte_size': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryStatusResponse.RegionsEntry': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryStatusResponse.RegionsEntry.key': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryStatusResponse.RegionsEntry.value': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryRegisterRequest': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryRegisterRequest.name': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryRegisterRequest.raw_handle': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryRegisterRequest.device_id': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryRegisterRequest.byte_size': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryRegisterResponse': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryUnregisterRequest': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryUnregisterRequest.name': 'executor/_pb/inference.proto',
    'inference.CudaSharedMemoryUnregisterResponse': 'executor/_pb/inference.proto',
    'inference.TraceSettingRequest': 'executor/_pb/inference.proto',
    'inference.TraceSettingRequest.settings': 'executor/_pb/inference.proto',
    'inference.TraceSettingRequest.model_name': 'executor/_pb/inference.proto',
    'inference.TraceSettingRequest.SettingValue': 'executor/_pb/inference.proto',
    'inference.TraceSettingRequest.SettingValue.value': 'executor/_pb/inference.proto',
    'inference.TraceSettingRequest.SettingsEntry': 'executor/_pb/inference.proto',
    'inference.TraceSettingRequest.SettingsEntry.key': 'executor/_pb/inference.proto',
    'inference.TraceSettingRequest.SettingsEntry.value': 'executor/_pb/inference.proto',
    'inference.TraceSettingResponse': 'executor/_pb/inference.proto',
    'inference.TraceSettingResponse.settings': 'executor/_pb/inference.proto',
    'inference.TraceSettingResponse.SettingValue': 'executor/_pb/inference.proto',
    'inference.TraceSettingResponse.SettingValue.value': 'executor/_pb/inference.proto',
    'inference.TraceSettingResponse.SettingsEntry': 'executor/_pb/inference.proto',
    'inference.TraceSettingResponse.SettingsEntry.key': 'executor/_pb/inference.proto',
    'inference.TraceSettingResponse.SettingsEntry.value': 'executor/_pb/inference.proto',
    'inference.LogSettingsRequest': 'executor/_pb/inference.proto',
    'inference.LogSettingsRequest.settings': 'executor/_pb/inference.proto',
    'inference.LogSettingsRequest.SettingValue': 'executor/_pb/inference.proto',
    'inference.LogSettingsRequest.SettingValue.bool_param': 'executor/_pb/inference.proto',
    'inference.LogSettingsRequest.SettingValue.uint32_param': 'executor/_pb/inference.proto',
    'inference.LogSettingsRequest.SettingValue.string_param': 'executor/_pb/inference.proto',
    'inference.LogSettingsRequest.SettingValue.parameter_choice': 'executor/_pb/inference.proto',
    'inference.LogSettingsRequest.SettingsEntry': 'executor/_pb/inference.proto',
    'inference.LogSettingsRequest.SettingsEntry.key': 'executor/_pb/inference.proto',
    'inference.LogSettingsRequest.SettingsEntry.value': 'executor/_pb/inference.proto',
    'inference.LogSettingsResponse': 'executor/_pb/inference.proto',
    'inference.LogSettingsResponse.settings': 'executor/_pb/inference.proto',
    'inference.LogSettingsResponse.SettingValue': 'executor/_pb/inference.proto',
    'inference.LogSettingsResponse.SettingValue.bool_param': 'executor/_pb/inference.proto',
    'inference.LogSettingsResponse.SettingValue.uint32_param': 'executor/_pb/inference.proto',
    'inference.LogSettingsResponse.SettingValue.string_param': 'executor/_pb/inference.proto',
    'inference.LogSettingsResponse.SettingValue.parameter_choice': 'executor/_pb/inference.proto',
    'inference.LogSettingsResponse.SettingsEntry': 'executor/_pb/inference.proto',
    'inference.LogSettingsResponse.SettingsEntry.key': 'executor/_pb/inference.proto',
    'inference.LogSettingsResponse.SettingsEntry.value': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.ServerLive': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.ServerReady': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.ModelReady': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.ServerMetadata': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.ModelMetadata': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.ModelInfer': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.ModelStreamInfer': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.ModelStatistics': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.RepositoryIndex': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.RepositoryModelLoad': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.RepositoryModelUnload': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.SystemSharedMemoryStatus': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.SystemSharedMemoryRegister': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.SystemSharedMemoryUnregister': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.CudaSharedMemoryStatus': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.CudaSharedMemoryRegister': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.CudaSharedMemoryUnregister': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.TraceSetting': 'executor/_pb/inference.proto',
    'inference.GRPCInferenceService.LogSettings': 'executor/_pb/inference.proto',
    'grpc.reflection.v1.ServerReflectionRequest': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflectionRequest.host': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflectionRequest.file_by_filename': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflectionRequest.file_containing_symbol': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflectionRequest.file_containing_extension': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflectionRequest.all_extension_numbers_of_type': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflectionRequest.list_services': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflectionRequest.message_request': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ExtensionRequest': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ExtensionRequest.containing_type': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ExtensionRequest.extension_number': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflectionResponse': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflectionResponse.valid_host': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflectionResponse.original_request': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflectionResponse.file_descriptor_response': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflectionResponse.all_extension_numbers_response': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflectionResponse.list_services_response': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflectionResponse.error_response': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflectionResponse.message_response': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.FileDescriptorResponse': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.FileDescriptorResponse.file_descriptor_proto': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ExtensionNumberResponse': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ExtensionNumberResponse.base_type_name': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ExtensionNumberResponse.extension_number': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ListServiceResponse': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ListServiceResponse.service': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServiceResponse': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServiceResponse.name': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ErrorResponse': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ErrorResponse.error_code': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ErrorResponse.error_message': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflection': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1.ServerReflection.ServerReflectionInfo': 'executor/_pb/reflection_v1.proto',
    'grpc.reflection.v1alpha.ServerReflectionRequest': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflectionRequest.host': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflectionRequest.file_by_filename': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflectionRequest.file_containing_symbol': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflectionRequest.file_containing_extension': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflectionRequest.all_extension_numbers_of_type': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflectionRequest.list_services': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflectionRequest.message_request': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ExtensionRequest': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ExtensionRequest.containing_type': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ExtensionRequest.extension_number': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflectionResponse': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflectionResponse.valid_host': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflectionResponse.original_request': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflectionResponse.file_descriptor_response': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflectionResponse.all_extension_numbers_response': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflectionResponse.list_services_response': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflectionResponse.error_response': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflectionResponse.message_response': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.FileDescriptorResponse': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.FileDescriptorResponse.file_descriptor_proto': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ExtensionNumberResponse': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ExtensionNumberResponse.base_type_name': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ExtensionNumberResponse.extension_number': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ListServiceResponse': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ListServiceResponse.service': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServiceResponse': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServiceResponse.name': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ErrorResponse': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ErrorResponse.error_code': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ErrorResponse.error_message': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflection': 'executor/_pb/reflection_v1alpha.proto',
    'grpc.reflection.v1alpha.ServerReflection.ServerReflectionInfo': 'executor/_pb/reflection_v1alpha.proto',
    'seldon.protos.SeldonMessage': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonMessage.status': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonMessage.meta': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonMessage.data': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonMessage.binData': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonMessage.strData': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonMessage.jsonData': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonMessage.customData': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonMessage.data_oneof': 'executor/_pb/seldon.proto',
    'seldon.protos.DefaultData': 'executor/_pb/seldon.proto',
    'seldon.protos.DefaultData.names': 'executor/_pb/seldon.proto',
    'seldon.protos.DefaultData.tensor': 'executor/_pb/seldon.proto',
    'seldon.protos.DefaultData.ndarray': 'executor/_pb/seldon.proto',
    'seldon.protos.DefaultData.tftensor': 'executor/_pb/seldon.proto',
    'seldon.protos.DefaultData.data_oneof': 'executor/_pb/seldon.proto',
    'seldon.protos.Tensor': 'executor/_pb/seldon.proto',
    'seldon.protos.Tensor.shape': 'executor/_pb/seldon.proto',
    'seldon.protos.Tensor.values': 'executor/_pb/seldon.proto',
    'seldon.protos.Meta': 'executor/_pb/seldon.proto',
    'seldon.protos.Meta.puid': 'executor/_pb/seldon.proto',
    'seldon.protos.Meta.tags': 'executor/_pb/seldon.proto',
    'seldon.protos.Meta.routing': 'executor/_pb/seldon.proto',
    'seldon.protos.Meta.requestPath': 'executor/_pb/seldon.proto',
    'seldon.protos.Meta.metrics': 'executor/_pb/seldon.proto',
    'seldon.protos.Meta.TagsEntry': 'executor/_pb/seldon.proto',
    'seldon.protos.Meta.TagsEntry.key': 'executor/_pb/seldon.proto',
    'seldon.protos.Meta.TagsEntry.value': 'executor/_pb/seldon.proto',
    'seldon.protos.Meta.RoutingEntry': 'executor/_pb/seldon.proto',
    'seldon.protos.Meta.RoutingEntry.key': 'executor/_pb/seldon.proto',
    'seldon.protos.Meta.RoutingEntry.value': 'executor/_pb/seldon.proto',
    'seldon.protos.Meta.RequestPathEntry': 'executor/_pb/seldon.proto',
    'seldon.protos.Meta.RequestPathEntry.key': 'executor/_pb/seldon.proto',
    'seldon.protos.Meta.RequestPathEntry.value': 'executor/_pb/seldon.proto',
    'seldon.protos.Metric': 'executor/_pb/seldon.proto',
    'seldon.protos.Metric.key': 'executor/_pb/seldon.proto',
    'seldon.protos.Metric.type': 'executor/_pb/seldon.proto',
    'seldon.protos.Metric.value': 'executor/_pb/seldon.proto',
    'seldon.protos.Metric.tags': 'executor/_pb/seldon.proto',
    'seldon.protos.Metric.MetricType': 'executor/_pb/seldon.proto',
    'seldon.protos.Metric.COUNTER': 'executor/_pb/seldon.proto',
    'seldon.protos.Metric.GAUGE': 'executor/_pb/seldon.proto',
    'seldon.protos.Metric.TIMER': 'executor/_pb/seldon.proto',
    'seldon.protos.Metric.TagsEntry': 'executor/_pb/seldon.proto',
    'seldon.protos.Metric.TagsEntry.key': 'executor/_pb/seldon.proto',
    'seldon.protos.Metric.TagsEntry.value': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonMessageList': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonMessageList.seldonMessages': 'executor/_pb/seldon.proto',
    'seldon.protos.Status': 'executor/_pb/seldon.proto',
    'seldon.protos.Status.code': 'executor/_pb/seldon.proto',
    'seldon.protos.Status.info': 'executor/_pb/seldon.proto',
    'seldon.protos.Status.reason': 'executor/_pb/seldon.proto',
    'seldon.protos.Status.status': 'executor/_pb/seldon.proto',
    'seldon.protos.Status.StatusFlag': 'executor/_pb/seldon.proto',
    'seldon.protos.Status.SUCCESS': 'executor/_pb/seldon.proto',
    'seldon.protos.Status.FAILURE': 'executor/_pb/seldon.proto',
    'seldon.protos.Feedback': 'executor/_pb/seldon.proto',
    'seldon.protos.Feedback.request': 'executor/_pb/seldon.proto',
    'seldon.protos.Feedback.response': 'executor/_pb/seldon.proto',
    'seldon.protos.Feedback.reward': 'executor/_pb/seldon.proto',
    'seldon.protos.Feedback.truth': 'executor/_pb/seldon.proto',
    'seldon.protos.RequestResponse': 'executor/_pb/seldon.proto',
    'seldon.protos.RequestResponse.request': 'executor/_pb/seldon.proto',
    'seldon.protos.RequestResponse.response': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonModelMetadataRequest': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonModelMetadataRequest.name': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonMessageMetadata': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonMessageMetadata.messagetype': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonMessageMetadata.schema': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonMessageMetadata.name': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonMessageMetadata.datatype': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonMessageMetadata.shape': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonModelMetadata': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonModelMetadata.name': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonModelMetadata.versions': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonModelMetadata.platform': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonModelMetadata.inputs': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonModelMetadata.outputs': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonModelMetadata.custom': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonModelMetadata.CustomEntry': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonModelMetadata.CustomEntry.key': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonModelMetadata.CustomEntry.value': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonGraphMetadata': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonGraphMetadata.name': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonGraphMetadata.models': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonGraphMetadata.inputs': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonGraphMetadata.outputs': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonGraphMetadata.ModelsEntry': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonGraphMetadata.ModelsEntry.key': 'executor/_pb/seldon.proto',
    'seldon.protos.SeldonGraphMetadata.ModelsEntry.value': 'executor/_pb/seldon.proto',
    'seldon.protos.Seldon': 'executor/_pb/seldon.proto',
    'seldon.protos.Seldon.Predict': 'executor/_pb/seldon.proto',
    'seldon.protos.Seldon.SendFeedback': 'executor/_pb/seldon.proto',
    'seldon.protos.Seldon.ModelMetadata': 'executor/_pb/seldon.proto',
    'seldon.protos.Seldon.GraphMetadata': 'executor/_pb/seldon.proto',
    'seldon.protos.Model': 'executor/_pb/seldon.proto',
    'seldon.protos.Model.Predict': 'executor/_pb/seldon.proto',
    'seldon.protos.Model.SendFeedback': 'executor/_pb/seldon.proto',
    'seldon.protos.Model.Metadata': 'executor/_pb/seldon.proto',
    'seldon.protos.Router': 'executor/_pb/seldon.proto',
    'seldon.protos.Router.Route': 'executor/_pb/seldon.proto',
    'seldon.protos.Router.SendFeedback': 'executor/_pb/seldon.proto',
    'seldon.protos.Transformer': 'executor/_pb/seldon.proto',
    'seldon.protos.Transformer.TransformInput': 'executor/_pb/seldon.proto',
    'seldon.protos.OutputTransformer': 'executor/_pb/seldon.proto',
    'seldon.protos.OutputTransformer.TransformOutput': 'executor/_pb/seldon.proto',
    'seldon.protos.Combiner': 'executor/_pb/seldon.proto',
    'seldon.protos.Combiner.Aggregate': 'executor/_pb/seldon.proto',
    'seldon.protos.Generic': 'executor/_pb/seldon.proto',
    'seldon.protos.Generic.TransformInput': 'executor/_pb/seldon.proto',
    'seldon.protos.Generic.TransformOutput': 'executor/_pb/seldon.proto',
    'seldon.protos.Generic.Route': 'executor/_pb/seldon.proto',
    'seldon.protos.Generic.Aggregate': 'executor/_pb/seldon.proto',
    'seldon.protos.Generic.SendFeedback': 'executor/_pb/seldon.proto',
    'tensorflow.TensorShapeProto': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorShapeProto.dim': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorShapeProto.unknown_rank': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorShapeProto.Dim': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorShapeProto.Dim.size': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorShapeProto.Dim.name': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.dtype': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.tensor_shape': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.version_number': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.tensor_content': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.float_val': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.double_val': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.int_val': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.string_val': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.scomplex_val': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.int64_val': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.bool_val': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.dcomplex_val': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.half_val': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.resource_handle_val': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.variant_val': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.uint32_val': 'executor/_pb/tensorflow.proto',
    'tensorflow.TensorProto.uint64_val': 'executor/_pb/tensorflow.proto',
    'tensorflow.ResourceHandleProto': 'executor/_pb/tensorflow.proto',
    'tensorflow.ResourceHandleProto.device': 'executor/_pb/tensorflow.proto',
    'tensorflow.ResourceHandleProto.container': 'executor/_pb/tensorflow.proto',
    'tensorflow.ResourceHandleProto.name': 'executor/_pb/tensorflow.proto',
    'tensorflow.ResourceHandleProto.hash_code': 'executor/_pb/tensorflow.proto',
    'tensorflow.ResourceHandleProto.maybe_type_name': 'executor/_pb/tensorflow.proto',
    'tensorflow.ResourceHandleProto.dtypes_and_shapes': 'executor/_pb/tensorflow.proto',
    'tensorflow.ResourceHandleProto.DtypeAndShape': 'executor/_pb/tensorflow.proto',
    'tensorflow.ResourceHandleProto.DtypeAndShape.dtype': 'executor/_pb/tensorflow.proto',
    'tensorflow.ResourceHandleProto.DtypeAndShape.shape': 'executor/_pb/tensorflow.proto',
    'tensorflow.VariantTensorDataProto': 'executor/_pb/tensorflow.proto',
    'tensorflow.VariantTensorDataProto.type_name': 'executor/_pb/tensorflow.proto',
    'tensorflow.VariantTensorDataProto.metadata': 'executor/_pb/tensorflow.proto',
    'tensorflow.VariantTensorDataProto.tensors': 'executor/_pb/tensorflow.proto',
    'tensorflow.DataType': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_INVALID': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_FLOAT': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_DOUBLE': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_INT32': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_UINT8': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_INT16': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_INT8': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_STRING': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_COMPLEX64': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_INT64': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_BOOL': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_QINT8': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_QUINT8': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_QINT32': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_BFLOAT16': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_QINT16': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_QUINT16': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_UINT16': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_COMPLEX128': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_HALF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_RESOURCE': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_VARIANT': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_UINT32': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_UINT64': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_FLOAT_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_DOUBLE_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_INT32_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_UINT8_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_INT16_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_INT8_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_STRING_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_COMPLEX64_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_INT64_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_BOOL_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_QINT8_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_QUINT8_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_QINT32_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_BFLOAT16_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_QINT16_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_QUINT16_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_UINT16_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_COMPLEX128_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_HALF_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_RESOURCE_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_VARIANT_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_UINT32_REF': 'executor/_pb/tensorflow.proto',
    'tensorflow.DT_UINT64_REF': 'executor/_pb/tensorflow.proto',
    'google.protobuf.Any': 'google/protobuf/any.proto',
    'google.protobuf.Any.type_url': 'google/protobuf/any.proto',
    'google.protobuf.Any.value': 'google/protobuf/any.proto',
    'google.protobuf.Empty': 'google/protobuf/empty.proto',
    'google.protobuf.Struct': 'google/protobuf/struct.proto',
    'google.protobuf.Struct.fields': 'google/protobuf/struct.proto',
    'google.protobuf.Struct.FieldsEntry': 'google/protobuf/struct.proto',
    'google.protobuf.Struct.FieldsEntry.key': 'google/protobuf/struct.proto',
    'google.protobuf.Struct.FieldsEntry.value': 'google/protobuf/struct.proto',
    'google.protobuf.Value': 'google/protobuf/struct.proto',
    'google.protobuf.Value.null_value': 'google/protobuf/struct.proto',
    'google.protobuf.Value.number_value': 'google/protobuf/struct.proto',
    'google.protobuf.Value.string_value': 'google/protobuf/struct.proto',
    'google.protobuf.Value.bool_value': 'google/protobuf/struct.proto',
    'google.protobuf.Value.struct_value': 'google/protobuf/struct.proto',
    'google.protobuf.Value.list_value': 'google/protobuf/struct.proto',
    'google.protobuf.Value.kind': 'google/protobuf/struct.proto',
    'google.protobuf.ListValue': 'google/protobuf/struct.proto',
    'google.protobuf.ListValue.values': 'google/protobuf/struct.proto',
    'google.protobuf.NullValue': 'google/protobuf/struct.proto',
    'google.protobuf.NULL_VALUE': 'google/protobuf/struct.proto',
}
"""The file that defines each message, field, oneof, enum, enum value, service and method."""
