internal import COpenSSL

/// OpenSSL asks this for the password of an encrypted file; without it, it asks on the terminal.
private func refusePassword(
  _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int32, _ isForWriting: Int32,
  _ context: UnsafeMutableRawPointer?
) -> Int32 { -1 }

/// Reads PEM files.
enum PEM {
  /// A certificate of OpenSSL's.
  final class Certificate {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { X509_free(pointer) }
  }

  /// A private key of OpenSSL's.
  final class PrivateKey {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { EVP_PKEY_free(pointer) }
  }

  /// All certificates of a file; at least one.
  static func certificates(
    _ file: TLSFailure.File, _ path: String
  ) throws(TLSFailure) -> [Certificate] {
    let (certificates, problem) = reading(try file.read(path)) { source in
      var certificates: [Certificate] = []
      while let next = PEM_read_bio_X509_AUX(source, nil, refusePassword, nil) {
        certificates.append(Certificate(next))
      }
      // The end of the file reads as a missing start.
      let isEnd = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE
      return (certificates, isEnd ? nil : OpenSSLErrors.newest())
    }
    if let problem { throw .file(file, .invalid(path: path, what: problem)) }
    if certificates.isEmpty {
      throw .file(file, .invalid(path: path, what: "holds no certificate in PEM form"))
    }
    return certificates
  }

  /// The first private key of a file.
  static func privateKey(_ path: String) throws(TLSFailure) -> PrivateKey {
    let key = reading(try TLSFailure.File.key.read(path)) { source in
      PEM_read_bio_PrivateKey(source, nil, refusePassword, nil).map(PrivateKey.init)
    }
    guard let key else {
      throw .file(
        .key, .invalid(path: path, what: "holds no private key in PEM form without a password"))
    }
    return key
  }

  private static func reading<Result>(
    _ bytes: [UInt8], _ body: (_ source: OpaquePointer?) -> Result
  ) -> Result {
    ERR_clear_error()
    defer { ERR_clear_error() }
    return bytes.withUnsafeBytes { bytes in
      let source = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count))
      defer { BIO_free(source) }
      return body(source)
    }
  }
}

/// OpenSSL's queue of errors; each thread has its own.
enum OpenSSLErrors {
  /// The newest error in OpenSSL's words.
  static func newest() -> String { text(ERR_peek_last_error()) }

  /// An error in OpenSSL's words, such as `certificate verify failed`.
  static func text(_ error: UInt) -> String {
    ERR_reason_error_string(error).map { String(cString: $0) } ?? "error \(error)"
  }
}
