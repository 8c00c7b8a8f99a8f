internal import Buffering
internal import ConfigurationFile
internal import MQTT
internal import Telemetry
internal import Uplink

extension JournalSettings {
  /// What the configuration says of the journal.
  init(_ configuration: AgentConfiguration, boot: BootID) {
    self.init(
      directory: configuration.storage.directory,
      dataBytes: Int(configuration.storage.dataBytes),
      eventsBytes: Int(configuration.storage.eventBytes),
      commitMilliseconds: configuration.storage.commitMilliseconds,
      destinations: configuration.uplinks.map { DestinationName($0.name) },
      definitions: PayloadEncoder.definitions(of: configuration.deviceDescriptions),
      agentVersion: productVersion, boot: boot)
    keepFreeBytes = Int(configuration.storage.keepFreeBytes)
    beginnings = configuration.beginnings
    keepRemovedMilliseconds = configuration.storage.keepRemovedMilliseconds
  }
}

extension JournalChange {
  /// What the configuration says of destinations and points.
  init(_ configuration: AgentConfiguration) {
    self.init(
      destinations: configuration.uplinks.map { DestinationName($0.name) },
      definitions: PayloadEncoder.definitions(of: configuration.deviceDescriptions))
    beginnings = configuration.beginnings
  }
}

extension AgentConfiguration {
  fileprivate var beginnings: [DestinationName: DestinationBeginning] {
    Dictionary(uniqueKeysWithValues: uplinks.map { (DestinationName($0.name), $0.beginning) })
  }
}

extension UplinkSettings {
  /// What the configuration says of a destination.
  init(_ uplink: UplinkConfiguration, gateway: String) {
    let rate: Int? =
      switch uplink.historyRate {
      case .unlimited: nil
      case .bytesPerSecond(let bytes): Int(bytes)
      }
    self.init(
      name: DestinationName(uplink.name),
      endpoints: uplink.brokers.map { UplinkEndpoint(host: $0.host, port: $0.port) },
      tls: uplink.tls, version: uplink.protocolVersion == .v5 ? .v5 : .v311,
      clientID: uplink.clientID,
      username: uplink.username, passwordFile: uplink.passwordFile,
      topicPrefix: uplink.topicPrefix, gateway: gateway, agentVersion: productVersion,
      historyRate: rate, historyShare: Double(uplink.historySharePercent) / 100)
  }
}
