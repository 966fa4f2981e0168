// Draws the page. Every call names the version of the API that it speaks, also those that
// expect no content and would name none.
"use strict";

SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "openapi.json",
  deepLinking: true,
  validatorUrl: null,
  requestInterceptor(request) {
    request.headers.accept = "application/vnd.appgate.peer-v23+json";
    return request;
  },
});
