/// One document of an index of the contract.
struct DocumentCase: Decodable {
    let file: String
    let valid: Bool
    let `where`: String?
}
