import PhotosUI
import SwiftUI

/// The style: packed ones with a slider between two of them, or a picture.
struct StyleSection: View {
    @Bindable var model: PaintModel
    @Binding var styleItem: PhotosPickerItem?

    var body: some View {
        if let kinds = model.kinds, !kinds.hasItsOwn {
            Section("Style") {
                if !model.names.isEmpty {
                    picker("Style", selection: $model.first)
                    picker("Blend with", selection: $model.second)
                }
                if model.first != nil && model.second != nil {
                    LabeledContent("Blend") {
                        Slider(value: $model.blend, in: 0...1) { isMoving in
                            if !isMoving { repaint() }
                        }
                        .accessibilityLabel("Share of the second style")
                    }
                }
                if kinds.takesPictures {
                    PhotosPicker("Style picture …", selection: $styleItem, matching: .images)
                }
            }
        }
    }

    private func picker(_ title: String, selection: Binding<String?>) -> some View {
        Picker(title, selection: selection) {
            Text("none").tag(String?.none)
            ForEach(model.names, id: \.self) { Text($0).tag(Optional($0)) }
        }
        .onChange(of: selection.wrappedValue) { repaint() }
    }

    private func repaint() {
        Task { await model.paint() }
    }
}
