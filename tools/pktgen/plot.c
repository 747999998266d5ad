// SPDX-License-Identifier: Apache-2.0
// Drawing. Called by report_html.c and rfc2544_html.c, on the main thread.
#include "plot.h"
#include <math.h>
#include "report.h"

#define WIDTH  760.0
#define HEIGHT 320.0
#define LEFT   80.0 // room for the numbers of the y axis
#define RIGHT  20.0
#define TOP    16.0
#define BOTTOM 52.0
#define TICKS  5

struct axis {
    double low, high;
    bool log;
};

static const char *const color[] = {"#1f6feb", "#d1570b", "#1a7f37", "#8250df", "#bf3989", "#57606a"};

void plot_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else
            fputc(*text, out);
    }
}

void plot_page_begin(FILE *out, const char *title)
{
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>", out);
    plot_text(out, title);
    fputs(
        "</title><style>\nbody{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 "
        "1em;"
        "color:#1f2328;background:#fff}\ntable{border-collapse:collapse;margin:1em 0}\nth,td{padding:.25em "
        ".8em;"
        "text-align:right;border-bottom:1px solid #d0d7de}\nth:first-child,td:first-child{text-align:left}\n"
        "svg{width:100%;height:auto}\nsvg text{font:12px system-ui,sans-serif;fill:#57606a}\n"
        ".grid{stroke:#d0d7de;stroke-width:1}\n.note{color:#57606a}\n</style></head><body>\n<h1>",
        out);
    plot_text(out, title);
    fputs("</h1>\n", out);
}

void plot_page_end(FILE *out)
{
    fputs("</body></html>\n", out);
}

static double axis_place(const struct axis *axis, double value)
{
    double low = axis->low, high = axis->high;
    if (axis->log) {
        value = log10(value > low ? value : low);
        low = log10(low);
        high = log10(high);
    }
    return high > low ? (value - low) / (high - low) : 0.5;
}

static double x_place(const struct axis *axis, double value)
{
    return LEFT + axis_place(axis, value) * (WIDTH - LEFT - RIGHT);
}

static double y_place(const struct axis *axis, double value)
{
    return HEIGHT - BOTTOM - axis_place(axis, value) * (HEIGHT - TOP - BOTTOM);
}

static double axis_tick(const struct axis *axis, int i)
{
    double share = (double)i / TICKS;
    if (axis->log)
        return axis->low * pow(axis->high / axis->low, share);
    return axis->low + (axis->high - axis->low) * share;
}

static void frame_draw(FILE *out, const char *title, const char *x_name, const char *y_name)
{
    fputs("<h2>", out);
    plot_text(out, title);
    fprintf(out, "</h2>\n<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n", WIDTH, HEIGHT);
    fprintf(out, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">", (LEFT + WIDTH - RIGHT) / 2,
            HEIGHT - 8);
    plot_text(out, x_name);
    fprintf(out, "</text>\n<text transform=\"translate(14 %.0f) rotate(-90)\" text-anchor=\"middle\">",
            (TOP + HEIGHT - BOTTOM) / 2);
    plot_text(out, y_name);
    fputs("</text>\n", out);
}

static void y_axis_draw(FILE *out, const struct axis *y)
{
    char text[16];
    for (int i = 0; i <= TICKS; i++) {
        double value = axis_tick(y, i), at = y_place(y, value);
        fprintf(out,
                "<line class=\"grid\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">",
                LEFT, WIDTH - RIGHT, at, at, LEFT - 6, at + 4);
        if (y->high < 10 && value > 0)
            fprintf(out, "%.3g</text>\n", value);
        else
            fprintf(out, "%s</text>\n", report_scaled(value, text));
    }
}

static void x_axis_draw(FILE *out, const struct axis *x)
{
    char text[16];
    for (int i = 0; i <= TICKS; i++) {
        double value = axis_tick(x, i);
        fprintf(out, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">", x_place(x, value),
                HEIGHT - BOTTOM + 18);
        if (x->high < 10)
            fprintf(out, "%.3g</text>\n", value);
        else
            fprintf(out, "%s</text>\n", report_scaled(value, text));
    }
}

static void series_draw(FILE *out, const struct plot_series *series, const struct axis *x,
                        const struct axis *y, size_t index)
{
    const char *ink = color[index % (sizeof(color) / sizeof(color[0]))];
    fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", ink);
    for (size_t i = 0; i < series->count; i++)
        fprintf(out, "%.1f,%.1f ", x_place(x, series->x[i]), y_place(y, series->y[i]));
    fputs("\"/>\n", out);
    fprintf(out, "<text x=\"%.0f\" y=\"%.0f\" style=\"fill:%s\" text-anchor=\"end\">", WIDTH - RIGHT - 6,
            TOP + 14 + 15.0 * (double)index, ink);
    plot_text(out, series->name);
    fputs("</text>\n", out);
}

void plot_lines(FILE *out, const struct plot *plot)
{
    struct axis x = {.low = INFINITY, .high = -INFINITY, .log = plot->log_x}, y = {.low = 0, .high = 0};
    for (size_t s = 0; s < plot->series_count; s++)
        for (size_t i = 0; i < plot->series[s].count; i++) {
            x.low = fmin(x.low, plot->series[s].x[i]);
            x.high = fmax(x.high, plot->series[s].x[i]);
            y.high = fmax(y.high, plot->series[s].y[i]);
        }
    if (!isfinite(x.low))
        return;
    y.high = y.high > 0 ? y.high * 1.05 : 1;
    frame_draw(out, plot->title, plot->x_name, plot->y_name);
    y_axis_draw(out, &y);
    x_axis_draw(out, &x);
    for (size_t s = 0; s < plot->series_count; s++)
        series_draw(out, &plot->series[s], &x, &y, s);
    fputs("</svg>\n", out);
}

static void bar_draw(FILE *out, const struct axis *y, double left, double width, double value,
                     const char *ink)
{
    double top = y_place(y, value);
    fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", left, top,
            width, HEIGHT - BOTTOM - top, ink);
}

void plot_bars(FILE *out, const char *title, const char *unit, const struct plot_bar *bar, size_t count)
{
    struct axis y = {0};
    double step = (WIDTH - LEFT - RIGHT) / (double)(count ? count : 1);
    for (size_t i = 0; i < count; i++)
        y.high = fmax(y.high, fmax(bar[i].value, bar[i].second));
    y.high = y.high > 0 ? y.high * 1.05 : 1;
    frame_draw(out, title, "", unit);
    y_axis_draw(out, &y);
    for (size_t i = 0; i < count; i++) {
        double left = LEFT + (double)i * step;
        bar_draw(out, &y, left + step * 0.15, step * 0.35, bar[i].value, color[0]);
        bar_draw(out, &y, left + step * 0.5, step * 0.35, bar[i].second, "#b6d4fe");
        fprintf(out, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">", left + step / 2,
                HEIGHT - BOTTOM + 18);
        plot_text(out, bar[i].name);
        fputs("</text>\n", out);
    }
    fputs("</svg>\n", out);
}
