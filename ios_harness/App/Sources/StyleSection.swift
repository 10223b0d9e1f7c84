import PhotosUI
import SwiftUI

/// Choice of the style: one packed style, a blend of two, or a picture.
struct StyleSection: View {
    @Bindable var model: PaintModel
    @Binding var styleItem: PhotosPickerItem?

    var body: some View {
        if let inputs = model.styleInputs, !inputs.isFixedStyle {
            Section("Style") {
                if !model.names.isEmpty {
                    picker("Style", selection: $model.firstStyle)
                    picker("Blend with", selection: $model.secondStyle)
                        .disabled(!model.canBlend)
                }
                if model.canBlend && model.firstStyle != nil && model.secondStyle != nil {
                    LabeledContent("Blend") {
                        Slider(value: $model.blend, in: 0...1) { isMoving in
                            if !isMoving { repaint() }
                        }
                        .accessibilityLabel("Weight of the second style")
                    }
                }
                if inputs.acceptsPictures {
                    PhotosPicker("Choose Style Picture…", selection: $styleItem, matching: .images)
                }
                if !model.names.isEmpty, let note = model.codeLayout?.blendingNote {
                    Text(note).font(.footnote)
                }
            }
        }
    }

    private func picker(_ title: String, selection: Binding<String?>) -> some View {
        Picker(title, selection: selection) {
            Text("None").tag(String?.none)
            ForEach(model.names, id: \.self) { row($0).tag(Optional($0)) }
        }
        .onChange(of: selection.wrappedValue) { repaint() }
    }

    /// The name of a style, with its thumbnail where there is one.
    @ViewBuilder private func row(_ name: String) -> some View {
        if let thumbnail = model.thumbnail(of: name) {
            Label {
                Text(name)
            } icon: {
                // 128 pixels at scale 3 are 43 points: as large as a row is high.
                Image(decorative: thumbnail, scale: 3)
            }
        } else {
            Text(name)
        }
    }

    private func repaint() {
        Task { await model.paint() }
    }
}
