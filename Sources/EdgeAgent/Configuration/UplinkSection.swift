internal import Buffering
internal import ConfigurationFile

/// A thread, a connection and two cursors each.
private let maximumUplinks = 8
/// A cluster has three or five; more would only lengthen the search.
private let maximumBrokers = 8
/// Leaves room for what follows in a topic that brokers take (at most 65,535 bytes, often fewer).
private let topicPrefixLimit = 200

extension SectionDecoder {
  /// The `uplinks` section. Without the gateway's section, defaults that need it stay empty; the
  /// load fails then anyway.
  func uplinks(
    _ section: ConfigurationValue?, _ gateway: GatewayConfiguration?
  ) -> [UplinkConfiguration]? {
    guard let section else { return nil }
    return section.mapping { mapping in
      let entries = mapping.takeNamed()
      if entries.isEmpty {
        section.refuse("has no destination", "at least one is expected")
      } else if entries.count > maximumUplinks {
        section.refuse(
          "has \(entries.count) destinations", "at most \(maximumUplinks) are expected")
      }
      let uplinks = entries.map { uplink($0.name, $0.value, gateway) }
      refuseSharedClientIDs(zip(uplinks, entries.map(\.value)).map { ($0, $1) })
      let good = uplinks.compactMap(\.self)
      return good.count == entries.count ? good : nil
    }
  }

  private func uplink(
    _ name: String, _ value: ConfigurationValue, _ gateway: GatewayConfiguration?
  ) -> UplinkConfiguration? {
    value.mapping { uplink in
      let brokers = uplink.require("url", BrokerURL.form).flatMap(brokers)
      let version =
        uplink.take("protocol").map { $0.choice(MQTTProtocolVersion.self, "a version of MQTT") }
        ?? .v5
      let clientID =
        uplink.take("client-id").map { $0.text("a client id") } ?? gateway?.id ?? ""
      let username = uplink.take("username")
      let passwordFile = uplink.take("password-file")
      if let passwordFile, username == nil {
        passwordFile.refuse("a password without a user", "username is expected beside it")
      }
      let prefix = uplink.take("topic-prefix").map { $0.topicPrefix() } ?? standardPrefix(gateway)
      let beginning = beginning(uplink.take("from"))
      let history = history(uplink.take("history"))
      let tls = tls(uplink, brokers?.scheme)
      refuseUnbuilt(uplink)
      let user = username?.text("a user name")
      let password = passwordFile?.absolutePath()
      guard let brokers, let version, let clientID, let prefix else { return nil }
      return UplinkConfiguration(
        name: name, brokers: brokers.addresses, tls: tls, protocolVersion: version,
        clientID: clientID,
        username: user, passwordFile: password, topicPrefix: prefix, beginning: beginning,
        historyRate: history.rate, historySharePercent: history.share)
    }
  }

  private func standardPrefix(_ gateway: GatewayConfiguration?) -> String {
    guard let gateway else { return "" }
    return "mine/v1/\(gateway.region)/\(gateway.mine)/\(gateway.id)"
  }

  private func brokers(
    _ value: ConfigurationValue
  ) -> (addresses: [BrokerAddress], scheme: BrokerURL.Scheme)? {
    guard let urls = value.oneOrMore(upTo: maximumBrokers, of: "URLs") else { return nil }
    let brokers = urls.compactMap(broker)
    guard brokers.count == urls.count, let scheme = brokers.first?.scheme else { return nil }
    // Whoever keeps us from the secure one would be served by the other.
    guard brokers.allSatisfy({ $0.scheme == scheme }) else {
      value.refuse("has both mqtt:// and mqtts://", "one of them for all brokers is expected")
      return nil
    }
    guard !refuseRepeatedBrokers(zip(urls, brokers.map(\.address)).map { ($0, $1) }) else {
      return nil
    }
    return (brokers.map(\.address), scheme)
  }

  /// The same broker twice is a slip of copying: the second was meant to be another.
  private func refuseRepeatedBrokers(
    _ brokers: [(place: ConfigurationValue, address: BrokerAddress)]
  ) -> Bool {
    var known: Set<BrokerAddress> = []
    var isRepeated = false
    for (place, address) in brokers {
      let broker = BrokerAddress(host: address.host.lowercased(), port: address.port)
      guard !known.insert(broker).inserted else { continue }
      place.refuse("the same broker again", "each broker once is expected")
      isRepeated = true
    }
    return isRepeated
  }

  private func broker(
    _ url: ConfigurationValue
  ) -> (address: BrokerAddress, scheme: BrokerURL.Scheme)? {
    guard let text = url.text(BrokerURL.form) else { return nil }
    guard !BrokerURL.isUnsupported(text) else {
      url.refuseAsUnsupported("\(text.prefix { $0 != ":" })://", "\(BrokerURL.form) is expected")
      return nil
    }
    do throws(BrokerURL.Fault) {
      return try BrokerURL.parse(text)
    } catch {
      url.refuse(error.what, error.expected)
      return nil
    }
  }

  private func beginning(_ value: ConfigurationValue?) -> DestinationBeginning {
    switch value?.text("live, all or a duration such as 24h") {
    case nil, "live": .live
    case "all": .everything
    default: value?.duration(in: 0...longestAge).map { .age(milliseconds: $0) } ?? .live
    }
  }

  private func history(_ value: ConfigurationValue?) -> (rate: ByteRate, share: Int) {
    var rate = ByteRate.bytesPerSecond(64 << 10)
    var share = 50
    _ = value?.mapping { history -> Void? in
      // Below a batch in a minute the backlog would never be seen to move.
      if let given = history.take("rate")?.rate(in: 1 << 10...1 << 30) { rate = given }
      if let given = history.take("share")?.percent(in: 1...100) { share = Int(given) }
      return nil
    }
    return (rate, share)
  }

  private func refuseUnbuilt(_ uplink: MappingReader) {
    if let linger = uplink.take("linger"), let time = linger.duration(in: 0...3_600_000),
      time > 0
    {
      linger.refuseAsUnsupported("collecting batches", "0s is expected")
    }
    if let confirm = uplink.take("confirm"),
      confirm.choice(["broker", "receiver"], "a confirmation") == "receiver"
    {
      confirm.refuseAsUnsupported("confirmation by the receiver", "broker is expected")
    }
    if let subscriber = uplink.take("require-subscriber"), subscriber.boolean() == true {
      subscriber.refuseAsUnsupported("requiring a subscriber", "false is expected")
    }
  }

  /// A broker closes a connection when another comes with its client id: two destinations that
  /// share both would throw each other out for ever.
  private func refuseSharedClientIDs(
    _ uplinks: [(uplink: UplinkConfiguration?, place: ConfigurationValue)]
  ) {
    struct Session: Hashable {
      var broker: BrokerAddress
      var clientID: String
    }
    var owners: [Session: String] = [:]
    for case (let uplink?, let place) in uplinks {
      let sessions = Set(uplink.brokers.map { Session(broker: $0, clientID: uplink.clientID) })
      if let other = sessions.lazy.compactMap({ owners[$0] }).first {
        place.refuse(
          "has broker and client id in common with \(other)", "a client-id of its own is expected")
      }
      for session in sessions { owners[session] = uplink.name }
    }
  }
}

extension ConfigurationValue {
  /// What topics begin with: levels without wildcards, none of them empty.
  fileprivate func topicPrefix() -> String? {
    let form = "levels such as mine/v1/520201 are expected"
    guard let text = text("a topic") else { return nil }
    guard text.utf8.count <= topicPrefixLimit else {
      refuse("is longer than \(topicPrefixLimit) bytes", form)
      return nil
    }
    if text.contains("+") || text.contains("#") {
      refuse("has a wildcard", form)
    } else if text.hasPrefix("$") {
      refuse("begins with $, which brokers keep for themselves", form)
    } else if text.split(separator: "/", omittingEmptySubsequences: false).contains("") {
      refuse("has an empty level", form)
    } else {
      return text
    }
    return nil
  }
}
