internal import ConfigurationFile
internal import MQTT

extension SectionDecoder {
  /// What secures a destination's connections; `nil` for `mqtt://`. Whether the files are there and
  /// right shows when they are used: a certificate may come after the agent was started.
  func tls(_ uplink: MappingReader, _ scheme: BrokerURL.Scheme?) -> TLSSettings? {
    let ca = uplink.take("ca-file")
    let certificate = uplink.take("certificate-file")
    let key = uplink.take("key-file")
    if scheme == .plain {
      for file in [ca, certificate, key] {
        file?.refuse("has no meaning with mqtt://", "a url of mqtts:// is expected with it")
      }
    }
    if let certificate, key == nil {
      certificate.refuse("a certificate without its key", "key-file is expected beside it")
    }
    if let key, certificate == nil {
      key.refuse("a key without its certificate", "certificate-file is expected beside it")
    }
    let caFile = ca?.absolutePath()
    let certificateFile = certificate?.absolutePath()
    let keyFile = key?.absolutePath()
    guard scheme == .secure else { return nil }
    var identity: TLSSettings.Identity?
    if let certificateFile, let keyFile {
      identity = TLSSettings.Identity(certificateFile: certificateFile, keyFile: keyFile)
    }
    return TLSSettings(caFile: caFile, identity: identity)
  }
}
