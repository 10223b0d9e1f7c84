/// The word that a report must bear; files of a job are named by it.
public enum JobNonce {
    /// Whether a nonce holds nothing but 8 to 64 letters, digits, `_` and `-`.
    public static func isValid(_ nonce: String) -> Bool {
        (8...64).contains(nonce.utf8.count)
            && nonce.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// Return a new nonce, for jobs that an app makes itself.
    public static func random() -> String {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        return String((0..<20).map { _ in alphabet.randomElement() ?? "0" })
    }
}
