package org.styleexport.contract.paint

import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.SizeFact

/** What a picture is painted in. */
public sealed interface Style {
    /** The one style of a network that has no other. */
    public object Own : Style

    /** A style code, [1, K]. */
    public class Code(public val code: Tensor) : Style

    /** A painting; `at` gives the middle of it as an image of a size. */
    public class Painting(public val at: (SizeFact) -> Tensor) : Style
}
